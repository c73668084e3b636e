"""The files that the pages load: our own, and those of the viewer, an npm package that the installation adds."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OURS = Path(__file__).with_name("files")
VIEWER = Path(__file__).with_name("viewer")
"""`scripts/api_pages.sh` writes this folder; it is missing if the script could not run."""

TYPES: Mapping[str, bytes] = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".md": b"text/markdown; charset=utf-8",
}

PLACES: Mapping[str, Path] = {
    "pages.css": OURS,
    "logo.svg": OURS,
    "console.css": OURS,
    "console.js": OURS,
    "swagger-ui.css": VIEWER,
    "swagger-ui-bundle.js": VIEWER,
}
"""File → its folder. No other file is served."""

FOR_AGENTS = ("llms.txt", "SKILL.md")
"""Files that agents look for below `/`."""

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SECURITY = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of every page and file: a browser loads nothing from another host, and runs no script inside a page."""

CACHED = [(b"cache-control", b"public, max-age=31536000, immutable")]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and the hash that its URL must contain so that browsers may cache it without limit."""

    content: bytes
    media_type: bytes
    version: str


@functools.cache
def asset(name: str) -> Asset | None:
    """The file of this name; None if the viewer is not installed."""
    try:
        content = (PLACES.get(name, OURS) / name).read_bytes()
    except FileNotFoundError:
        return None
    return Asset(content, TYPES[Path(name).suffix], hashlib.sha256(content).hexdigest()[:12])


def address(name: str) -> str:
    """The URL of an existing file."""
    found = asset(name)
    return f"/docs/{name}?{found.version}" if found else f"/docs/{name}"


def has_viewer() -> bool:
    """Whether all files of the viewer are installed."""
    return all(asset(name) for name, folder in PLACES.items() if folder == VIEWER)
