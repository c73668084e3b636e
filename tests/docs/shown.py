"""What the pages show for a shell or for Python, as one script for each page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z")

RUN = ("sh", "console", "python")
"""Languages of the blocks that are run; `console` has each command behind `$ ` and what it prints below."""

SHOWN = ("json", "yaml", "sql", "text", "toml", "ini", "nginx", "r")
"""Languages of the blocks that are not."""

REASONS = (
    "starts the service",
    "runs the tests",
    "needs root",
    "needs a cloud account",
    "needs a server of your own",
    "needs R",
    "asks the package registry",
    "needs an extension from the network",
    "another test runs it",
)
"""Why a block that could be run is not."""

MARK = "\x1e"


@dataclass(frozen=True)
class Block:
    """One block; `expected` is what it must print, None where the page does not show it."""

    language: str
    text: str
    reason: str | None = None

    @property
    def steps(self) -> list[tuple[str, str | None]]:
        """Command and what it prints."""
        if self.language == "python":
            return [(f"python3 - <<'END_OF_PYTHON'\n{self.text}END_OF_PYTHON", None)]
        if self.language == "sh":
            return [(self.text, None)]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(command, printed) for command, _, printed in map(_parted, parts)]


def _parted(part: str) -> tuple[str, str, str]:
    """A command, with its continued lines, and what follows."""
    lines = part.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines, 1) if not line.rstrip("\n").endswith("\\"))
    return "".join(lines[:end]), "", "".join(lines[end:])


def pages() -> list[Path]:
    """Every page that a reader sees."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted(path for path in DOCS.rglob("*.md") if "templates" not in path.parts),
    ]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    text = page.read_text()
    found: list[Block] = []
    for match in FENCE.finditer(text):
        reason = NOT_RUN.search(text[: match.start()])
        indent = match["indent"]
        body = "".join(line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        found.append(Block(match["language"], body, reason and reason[1]))
    return found


def cells(page: Path) -> Block:
    """The blocks of Python of a page about notebooks, which share their names."""
    return Block("python", "".join(block.text for block in blocks(page) if block.language == "python"))


def steps(page: Path) -> list[tuple[str, str | None]]:
    """What is run of a page."""
    if page.name == "notebook.md":
        others = [block for block in blocks(page) if block.language in RUN and block.language != "python"]
        return [step for block in (*others, cells(page)) for step in block.steps]
    return [step for block in blocks(page) if block.language in RUN and not block.reason for step in block.steps]


def script(commands: list[str]) -> str:
    """All commands for one shell, which stops at the first that fails and at a variable that nobody set."""
    return "set -euo pipefail\n" + "\n".join(f"printf '{MARK}'\n{command}" for command in commands)
