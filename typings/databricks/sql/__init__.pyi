from typing import Any

from . import exc as exc
from .client import Connection

def connect(**arguments: Any) -> Connection: ...
