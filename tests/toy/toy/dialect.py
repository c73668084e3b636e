"""SQLite: the facts, and how to connect."""

from __future__ import annotations

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext

from .config import Config
from .faults import FAULTS


class Toy(Dialect):
    """SQLite."""

    name = "toy"
    title = "Toy"
    abilities = Abilities(connects=True, own=True)
    Config = Config
    FAULTS = FAULTS
    PARAMETERS = "?"

    def fault_key(self, error: BaseException) -> str:
        """What SQLite says, or a word for it."""
        text = str(error)
        return text if text in FAULTS else "binding" if "binding" in text else "statement"

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Open the file."""
        from .session import ToySession

        return ToySession(config, context)
