from collections.abc import Callable
from typing import Any

conversions: dict[Any, Callable[..., Any]]
