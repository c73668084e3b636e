"""Every regular expression and tokenizer of ours takes time in proportion to its text, whatever the text is.

Python holds its lock while it matches: one slow expression stops the whole service. Expressions are found in the
source, with the method that is called on them; those whose pattern is made while the service runs, and tokenizers by
hand, are in `BY_HAND`, so that a new one that nothing tests fails here.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings import dialects
from moorings.api.http import bodies, negotiation
from moorings.dialects import introspection, redaction
from moorings.dialects import read_only as dialects_read_only
from moorings.dialects.arrow import nested
from moorings.dialects.athena import read_only as athena_read_only
from moorings.dialects.base import Statement
from moorings.dialects.clickhouse import statements as clickhouse_statements
from moorings.dialects.mssql import statements as mssql_statements
from moorings.dialects.oracle import read_only as oracle_read_only
from moorings.dialects.trino import statements as trino_statements
from moorings.errors import MooringsError

SOURCE = Path(dialects.__file__).parents[1]
METHODS = {"match", "fullmatch", "search", "findall", "finditer", "sub", "split", "subn"}
SMALL, HALF, WHOLE = (300, 2_000, 8_000), 250_000, 500_000
"""The sizes that texts are tried with: all at the small one, which tells the worst, and those at the others."""
WORST_TEXTS = 6
MAX_SECONDS = 2.0
"""Of processor time for one text of the whole size."""
MAX_GROWTH = 3.2
"""How much longer twice the text may take: 2 if it is linear, 4 if it is quadratic; short times tell nothing."""
UNITS = (
    *(
        " ",
        "\n",
        "\t",
        ";",
        " ;",
        "'",
        '"',
        "`",
        "''",
        '""',
        "\\",
        "\\'",
        "\\\\",
        "[",
        "[]]",
        "]",
        "(",
        ")",
        "((",
        "()",
    ),
    *(
        "/*",
        "*/",
        "/* ",
        "/**/",
        "/*/",
        "--",
        "--\n",
        "-- \n",
        "//",
        "//\n",
        "#",
        "# ",
        "#!",
        "{",
        "}",
        "{p1:",
        "{ ",
        "{d",
    ),
    *(
        "a",
        "A",
        "0",
        "a.",
        "a.a.a",
        "a ",
        " a",
        "a,",
        ",",
        ", ",
        "1",
        "1.",
        "-",
        "%",
        "%s",
        "$$",
        "$",
        "$1",
        "?",
        ":",
        "=",
        "\r\n",
    ),
    *(
        "*",
        "* ",
        " *",
        "•",
        "x'",
        "e'",
        "<",
        "<a",
        "@",
        "a@",
        "a@a",
        "ssh://",
        "..",
        "../",
        ".lock",
        "~",
        "\0",
        "é",
        "\u2028",
    ),
    *(
        "SELECT ",
        "select(",
        "WITH a AS (",
        "INSERT ",
        "EXPLAIN ",
        "EXPLAIN (",
        "1COMMIT",
        "NEXT VALUE FOR ",
        "DECIMAL(",
        "decimal(1",
    ),
    *(
        "Code: 1. DB::Exception: ",
        "DB::Exception: ",
        "Code: ",
        "ERROR:",
        "FATAL:",
        "SQLSTATE: ",
        ". SQLSTATE: 0000",
        'role "',
    ),
    *(
        "[Microsoft]",
        "[SQL Server]",
        "DDBC Error: ",
        "ORA-0000",
        "ORA-00001 ",
        " (CONNECTION_ID=",
        "Help: ",
        "Location: ",
        "GET a",
    ),
    *(
        "; reason: ",
        "Failed to execute query '",
        "stdin ",
        "error 5",
        "A Error:",
        "a Error",
        "'a' = ",
        "'a'=1",
        "bytesAssigned=",
    ),
    *(
        " 1 aaaaaaaaaaaaaaaa  __exception__",
        "\\x41",
        "\\u0041",
        "&#65;",
        "%41",
        "user:",
        "0x",
        "1-",
        "-1",
        "00",
        "0 ",
        "*/1",
        'W/"a",',
        'W/"a" ,',
    ),
)
"""What adversarial texts repeat."""
WORST = (" ", "a", "'", "/*", "(", "\\")
PLAIN = (("", ""), ("", "!"), ("a", "\n"))
HEADS = ("", "SELECT '", "a", "(", "/*", "[", "`", '"', "ssh://a", "a@", "\0")
TAILS = ("", "!", "a", "'", ")", "\n", "x x", "\0")


Recipe = tuple[str, str, str]


def recipes() -> Iterator[Recipe]:
    """Head, what is repeated, and tail of texts that make careless expressions try everything."""
    for unit in UNITS:
        for head, tail in itertools.product(HEADS, TAILS) if unit in WORST else PLAIN:
            yield head, unit, tail


def made(recipe: Recipe, size: int) -> str:
    head, unit, tail = recipe
    return head + unit * (size // len(unit)) + tail


RECIPES = list(recipes())


# ---- what there is ------------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, Any, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        if "migrations" in parts or path.name == "__main__.py":
            continue
        text = path.read_text()
        if re.search(r"\bre\b", text) or "TOKEN" in text or "regex" in text:
            name = ".".join(part for part in parts if part != "__init__")
            with contextlib.suppress(ImportError):  # a driver that is not installed here
                yield name, importlib.import_module(name), ast.parse(text)


def calls() -> Iterator[tuple[str, str, str, re.Pattern[Any] | None]]:
    """Where an expression is used: module, line's text, method and pattern; None for one that is made at run time."""
    for name, module, tree in modules():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                continue
            owner, method = node.func.value, node.func.attr
            if isinstance(owner, ast.Name) and owner.id == "re":
                yield name, ast.unparse(node)[:90], method, _pattern(module, node)
            else:
                found = _value(module, owner)
                if isinstance(found, re.Pattern):
                    yield name, ast.unparse(node)[:90], method, found
    yield from _unused()


def _unused() -> Iterator[tuple[str, str, str, re.Pattern[Any]]]:
    """Compiled expressions of a module that are handed to others, who match with them."""
    for name, module, tree in modules():
        used = {
            id(found)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if isinstance(found := _value(module, node.func.value), re.Pattern)
        }
        for variable, value in vars(module).items():
            if isinstance(value, re.Pattern) and id(value) not in used:
                yield name, variable, "finditer", value


def _pattern(module: Any, node: ast.Call) -> re.Pattern[Any] | None:
    given = _value(module, node.args[0])
    if given is None:
        return None
    flags = [_value(module, word.value) for word in node.keywords if word.arg == "flags"]
    places = {"match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2}
    place = places.get(node.func.attr) if isinstance(node.func, ast.Attribute) else None
    if place is not None and len(node.args) > place:
        flags.append(_value(module, node.args[place]))
    return re.compile(given, *(int(flag) for flag in flags if flag is not None))


def _value(module: Any, node: ast.expr) -> Any:
    """What an expression of the source is in its module; None for one that needs a function's own variables."""
    if not isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.JoinedStr | ast.BinOp):
        return None
    try:
        return eval(compile(ast.Expression(node), "source", "eval"), vars(module))  # our own source
    except (NameError, AttributeError, TypeError):
        return None


FOUND = sorted({(name, method, pattern) for name, _, method, pattern in calls() if pattern is not None}, key=str)
MADE_AT_RUN_TIME = sorted({(name, text) for name, text, _, pattern in calls() if pattern is None})


def ignoring(function: Callable[..., Any], *refusals: type[BaseException]) -> Callable[[str], object]:
    """The function, for texts that it may refuse."""

    def call(text: str) -> object:
        with contextlib.suppress(MooringsError, *refusals):
            return function(text)
        return None

    return call


def of_dialects() -> Iterator[tuple[str, Callable[[str], object]]]:
    """What each dialect makes of a driver's text."""
    for name in dialects.names():
        dialect = dialects.named(name)
        yield f"{name}.fault_key", lambda text, dialect=dialect: dialect.fault_key(Exception(text))
        yield f"{name}.error_text", lambda text, dialect=dialect: dialect.error_text(Exception(text))


SECRETS = ("hunter2 and more", "a b", "'" * 20, "aaaaaaaaaaaaaaaaaaaa")
BY_HAND: dict[str, Callable[[str], object]] = {
    **{
        f"reading.{function.__name__} {style}": ignoring(lambda text, f=function, q=quoted: f(text, quoted=q))
        for function in (dialects_read_only.require_reading, dialects_read_only.first_word)
        for style, quoted in (
            ("standard", dialects_read_only.STANDARD),
            ("brackets", dialects_read_only.BRACKETS),
            ("backslashes", dialects_read_only.BACKSLASHES),
        )
    },
    "athena_reading.reading": ignoring(athena_read_only.reading),
    "mssql_statements.check_reads": ignoring(mssql_statements.check_reads),
    "mssql_statements.check_some": ignoring(mssql_statements.check_some),
    "oracle.check_reads": ignoring(oracle_read_only.check_reads),
    "oracle.first_word": oracle_read_only.first_word,
    "clickhouse_statements.named": ignoring(lambda text: clickhouse_statements.named(text, ["a"])),
    "trino_statements.executed": lambda text: trino_statements.executed(Statement(text)),
    "nested.arguments": nested.arguments,
    "nested.field": nested.field,
    "nested.parse_nested": ignoring(nested.parse_nested, ValueError),
    "structure.Scope.takes": lambda text: introspection.Scope(schemas=("*a*a*b",)).takes(text),
    "redaction.detail": lambda text: redaction.detail(text, SECRETS),
    "redaction.redact short": lambda text: redaction.redact(text, ["ab", "a"]),
    "negotiation.choose": ignoring(negotiation.choose),
    "body.decode": ignoring(lambda text: bodies.decode(text.encode("utf-8", "replace"))),
    **dict(of_dialects()),
}
"""Tokenizers by hand, and expressions whose pattern depends on what is given."""
COVERED = {
    "moorings.dialects.redaction": "redaction.redact short",
    "moorings.dialects.introspection": "structure.Scope.takes",
    "moorings.dialects.read_only": "reading.first_word standard",
}
"""Modules that make expressions at run time → what tests them."""


# ---- how long it takes ----------------------------------------------------------------------------------------------


class TooSlow(Exception):
    """A text took longer than any may."""


def _too_slow(*_: object) -> None:
    raise TooSlow


def seconds(run: Callable[[str], object], text: str, most: float = MAX_SECONDS) -> float:
    """The processor time that a text takes; `re` looks for signals while it matches, so none takes for ever."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    started = time.thread_time()
    gc.disable()  # a look at all of the tests' objects takes longer than most texts
    signal.setitimer(signal.ITIMER_VIRTUAL, most)
    try:
        run(text)
    except TooSlow:
        return most
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        gc.enable()
        signal.signal(signal.SIGVTALRM, before)
    return time.thread_time() - started


def check(run: Callable[[str], object]) -> None:
    took = sorted((small_seconds(run, recipe), recipe) for recipe in RECIPES)
    for _, recipe in took[-WORST_TEXTS:]:
        half, whole = made(recipe, HALF), made(recipe, WHOLE)
        first, second = seconds(run, half), seconds(run, whole)
        if second > max(0.3, MAX_GROWTH * first):  # once more, should the machine have been busy
            first, second = seconds(run, half), seconds(run, whole)
        assert second < MAX_SECONDS, f"{recipe} takes {second:.3f} s"
        assert second < max(0.3, MAX_GROWTH * first), f"{recipe} takes {first:.3f} s, and {second:.3f} s twice as long"


def small_seconds(run: Callable[[str], object], recipe: Recipe) -> float:
    """How long a short text takes, tried at sizes that find a very slow expression out before it takes for ever."""
    took = 0.0
    for size in SMALL:
        text = made(recipe, size)
        took = seconds(run, text, MAX_SECONDS / 10)
        if took > MAX_SECONDS / 20:  # once more, should the machine have been busy
            took = seconds(run, text, MAX_SECONDS / 10)
        assert took < MAX_SECONDS / 20, f"{recipe} takes {took:.3f} s at {size} characters already"
    return took


@pytest.mark.parametrize(
    ("name", "method", "pattern"), FOUND, ids=[f"{n}-{m}-{str(p.pattern)[:40]}" for n, m, p in FOUND]
)
def test_expression(name: str, method: str, pattern: re.Pattern[Any]) -> None:
    raw = isinstance(pattern.pattern, bytes)

    def run(text: str) -> None:
        given: Any = text.encode("utf-8", "replace") if raw else text
        if method in ("sub", "subn"):
            pattern.sub(b"" if raw else "", given)
        elif method == "finditer":
            for _ in pattern.finditer(given):
                pass
        else:
            getattr(pattern, method)(given)

    check(run)


@pytest.mark.parametrize("function", BY_HAND)
def test_by_hand(function: str) -> None:
    check(BY_HAND[function])


def test_expressions_that_are_made_at_run_time_are_tested_by_hand() -> None:
    missing = [(name, text) for name, text in MADE_AT_RUN_TIME if name not in COVERED]
    assert missing == []
    assert set(COVERED.values()) <= set(BY_HAND)
