"""What Tab offers: words of SQL, and tables and columns of the stored catalog."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

WORDS = (
    *("ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COALESCE", "COUNT", "CROSS", "DESC", "DISTINCT"),
    *("ELSE", "END", "EXCEPT", "EXISTS", "EXPLAIN", "FALSE", "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER"),
    *("INTERSECT", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "MAX", "MIN", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER"),
    *("OUTER", "OVER", "PARTITION", "RIGHT", "SELECT", "SUM", "THEN", "TRUE", "UNION", "USING", "VALUES", "WHEN"),
    *("WHERE", "WITH"),
)

_NAME = re.compile(r"[\w$.\"]*")
_TABLES = re.compile(r"\b(?:from|join|update|into)\s+([\w$.\"]+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_SOURCE = re.compile(r"\b(from|join|update|into|table)\s+[\w$.\"]*$", re.IGNORECASE)


@dataclass
class Known:
    """The tables of a connection: schema and name, and the columns of each."""

    tables: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    columns: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])

    @classmethod
    def of(cls, stored: Iterable[Mapping[str, Any]]) -> Known:
        """The names of a stored catalog."""
        known = cls()
        for table in stored:
            key = (table["schema"] or "", table["name"])
            known.tables.append(key)
            known.columns[key] = [column["name"] for column in table["columns"]]
        return known

    def named(self, name: str) -> Iterator[tuple[str, str]]:
        """The tables that a name in SQL means."""
        schema, _, table = name.replace('"', "").casefold().rpartition(".")
        for key in self.tables:
            if key[1].casefold() == table and schema.rpartition(".")[2] in ("", key[0].casefold()):
                yield key


class Catalog:
    """The names of the connection in use. They are read in the background, and are empty until they are there."""

    def __init__(self) -> None:
        self.known = Known()

    def load(self, read: Callable[[], Iterable[Mapping[str, Any]]]) -> threading.Thread:
        """Read the names of another connection."""
        self.known = Known()

        def work() -> None:
            try:
                self.known = Known.of(read())
            except Exception:  # noqa: BLE001 - completion is a help: without a catalog there is none
                self.known = Known()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


class SqlCompleter(Completer):
    """Completes statements from a catalog, and commands of the shell from their names."""

    def __init__(self, catalog: Catalog, commands: Mapping[str, str], connections: Callable[[], Iterable[str]]) -> None:
        self._catalog = catalog
        self._commands = commands
        self._connections = connections

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What fits the word before the cursor."""
        before = document.text_before_cursor
        if before.lstrip().startswith("\\"):
            yield from self._of_command(before.lstrip())
            return
        backwards = _NAME.match(before[::-1])  # to search for the end from each place takes quadratic time
        prefix = backwards[0][::-1] if backwards else ""
        for text, meta in candidates(self._catalog.known, document.text, before, prefix):
            yield Completion(text, -len(prefix.rpartition(".")[2]), display_meta=meta)

    def _of_command(self, text: str) -> Iterator[Completion]:
        name, blank, argument = text.partition(" ")
        options: Iterable[str]
        if not blank:
            for each, meaning in self._commands.items():
                if each.startswith(name):
                    yield Completion(each, -len(name), display_meta=meaning)
            return
        options = self._connections() if name == "\\c" else (table for _, table in self._catalog.known.tables)
        for option in sorted(set(options)):
            if option.casefold().startswith(argument.casefold()):
                yield Completion(option, -len(argument))


def candidates(known: Known, text: str, before: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The texts that may stand for a prefix, and what each is."""
    qualifier, _, start = prefix.replace('"', "").rpartition(".")
    fits = start.casefold()
    if qualifier:
        found = _qualified(known, text, qualifier)
    elif _SOURCE.search(before):
        found = _sources(known)
    elif not prefix:
        return
    else:
        found = _words(known, text, start)
    offered = set[str]()
    for name, meta in found:
        if name.casefold().startswith(fits) and name not in offered:
            offered.add(name)
            yield quoted(name), meta


def _qualified(known: Known, text: str, qualifier: str) -> Iterator[tuple[str, str]]:
    """Columns of a table or alias, and tables of a schema."""
    for table, alias in _TABLES.findall(text):
        if qualifier.casefold() in (alias.casefold(), table.rpartition(".")[2].replace('"', "").casefold()):
            for key in known.named(table):
                yield from ((column, key[1]) for column in known.columns[key])
    last = qualifier.rpartition(".")[2].casefold()
    yield from ((table, "table") for schema, table in known.tables if schema.casefold() == last)


def _sources(known: Known) -> Iterator[tuple[str, str]]:
    yield from ((table, schema or "table") for schema, table in known.tables)
    yield from ((schema, "schema") for schema in dict.fromkeys(schema for schema, _ in known.tables) if schema)


def _words(known: Known, text: str, start: str) -> Iterator[tuple[str, str]]:
    for table, _ in _TABLES.findall(text):
        for key in known.named(table):
            yield from ((column, key[1]) for column in known.columns[key])
    yield from ((word.lower() if start.islower() else word, "") for word in WORDS)
    yield from _sources(known)


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return name if re.fullmatch(r"[A-Za-z_][\w$]*", name) else '"' + name.replace('"', '""') + '"'
