# Questions about types.
from collections.abc import Callable

from . import DataType

def __getattr__(name: str) -> Callable[[DataType], bool]: ...
