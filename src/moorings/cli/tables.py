"""Lists as commands print them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer


def when(milliseconds: int) -> str:
    """A stored instant as people read it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as JSON for scripts."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    # People copy ids, so a long line is better than a cut id.
    table = Table(
        *(Column(name, no_wrap=True) for name in (rows[0] if rows else ["Nothing yet"])), box=None, pad_edge=False
    )
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    Console(width=1000).print(table)
