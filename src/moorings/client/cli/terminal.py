"""The terminal: what it can show, questions without echo, and secrets from elsewhere than arguments."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from moorings.client.cli.exits import Failed, UsageError
from moorings.client.environment import variables


def asks() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_watched() -> bool:
    """Whether somebody looks at stderr, so that progress is worth showing."""
    return sys.stderr.isatty()


def colours() -> bool:
    """Whether stdout shows colours: a terminal, unless NO_COLOR is set or it is a dumb one."""
    environment = variables()
    return sys.stdout.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def bold(text: str) -> str:
    """A heading."""
    return f"\x1b[1m{text}\x1b[0m" if colours() else text


def coloured(text: str, colour: str) -> str:
    """A word in red, green or yellow."""
    number = {"red": 31, "green": 32, "yellow": 33}[colour]
    return f"\x1b[{number}m{text}\x1b[0m" if colours() else text


def note(text: str) -> None:
    """A line on stderr, beside the result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def question(text: str, default: str | None = None) -> str:
    """An answer; Enter alone takes the default. Asked on stderr, so that stdout has results alone."""
    shown = f"{text} [{default}]: " if default else f"{text}: "
    sys.stderr.write(shown)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip() or default or ""


def hidden(text: str) -> str:
    """A secret, which the terminal does not show."""
    return getpass.getpass(f"{text}: ", stream=sys.stderr).strip()


def agreed(text: str) -> bool:
    """A question that is answered by y or n; Enter alone is no."""
    return question(f"{text} [y/N]").casefold() in ("y", "yes")


def from_file(path: str) -> str:
    """The text of a file, without the newline at its end; `-` is stdin."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise Failed(f"{path} cannot be read: {getattr(failed, 'strerror', None) or 'it is not UTF-8'}") from None
    return text.rstrip("\r\n")


def secret(name: str, path: str | None, option: str) -> str:
    """A secret from a file, else from the prompt, else from stdin."""
    if path:
        found = from_file(path)
    elif asks():
        found = hidden(name)
    else:
        found = from_file("-")
    if not found:
        raise UsageError(f"{name}: nothing was given", f"Type it, pipe it into stdin, or name its file with {option}.")
    return found


def coloured_error(text: str) -> str:
    """A failure in red, if stderr shows colours."""
    return f"\x1b[31m{text}\x1b[0m" if sys.stderr.isatty() and colours() else text
