"""Refuses statements with effects that a read-only transaction of PostgreSQL allows to logins with privileges.

A superuser's COPY … TO PROGRAM, CHECKPOINT, DO or LISTEN write no table, so the transaction does not refuse them. Nor
does it refuse functions that act on the server itself. So a statement that the server describes without columns is
refused unless it begins as a query (`SELECT FROM t` is one), and such functions are refused by their names. This does
not stop a user-defined function or a view that calls one of them: use a login without privileges.

Source: https://www.postgresql.org/docs/current/functions-admin.html, and its neighbours on large objects and XML.
"""

from __future__ import annotations

import re

from moorings import errors
from moorings.dialects.read_only import QUERIES, leading_word

ACTS = (
    r"pg_read_(?:binary_)?file|pg_read_file_old|pg_stat_file|pg_ls_\w+|pg_file_\w+|lo_import|lo_export|lo_from_bytea",
    r"dblink\w*|postgres_fdw_disconnect\w*|query_to_xml\w*|cursor_to_xml\w*",
    r"pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile\w*|pg_promote|pg_switch_wal|pg_switch_xlog",
    r"pg_create_restore_point|pg_backup_st\w+|pg_start_backup|pg_stop_backup|pg_wal_replay_\w+|pg_logical_emit_message",
    r"pg_(?:create|drop|copy|sync)_\w*replication_slots?|pg_replication_\w+|pg_logical_slot_\w+|pg_stat_\w*reset\w*",
    r"pg_import_system_collations|pg_log_backend_memory_contexts|pg_log_standby_snapshot|pg_notify|pg_nextoid",
    r"pg_stop_making_pinned_objects|binary_upgrade_\w+|ts_stat|ts_rewrite",
)
"""Functions that act on the server, read its files, or run a text as SQL, in which names cannot be checked."""
NAMES = re.compile(rf"(?<![\w$])(?:{'|'.join(ACTS)})(?![\w$])", re.IGNORECASE)
CALLED = re.compile(rf"(?<![\w$])({'|'.join(ACTS)})\s*\(", re.IGNORECASE)
BLANKS, NAME = r"[ \t\n\r\f\v]*", "[A-Za-z_\x80-\U0010ffff][\\w$\x80-\U0010ffff]*"
ATTRIBUTE = re.compile(
    rf"(?:[)\]]|(?<![\w$])\$\d+){BLANKS}(?:\.{BLANKS}{NAME}{BLANKS})*?\.{BLANKS}({'|'.join(ACTS)})(?![\w$])",
    re.IGNORECASE,
)
"""The other way to call a function with one argument: `('/a'::text).pg_read_file`, after anything but a plain name."""
TOKENS = re.compile(
    r"""(?P<blank>--[^\n\r]*|/\*.*?(?:\*/|\Z))|(?P<literal>'(?:[^']|'')*+(?:'|\Z))|"(?P<name>(?:[^"]|"")*+)(?:"|\Z)""",
    re.DOTALL,
)
UNCLEAR = re.compile(r"\\|\$\w*\$")
"""Escapes and dollar quotes. In a text with one of them, this module may miss the end of a literal."""
ESCAPED_NAME = re.compile(r'(?<!\w)U&"', re.IGNORECASE)
"""A quoted name whose escapes can spell any name."""


def require_query(sql: str, *, columns: int) -> None:
    """Check that a statement is a query and calls no function that acts.

    `columns` is their number as the server describes it.

    Raises ReadOnly or StatementRefused.
    """
    word = leading_word(sql, nested=True)
    if word == "CALL" or (columns == 0 and word and word not in QUERIES):
        raise errors.ReadOnly
    if ESCAPED_NAME.search(sql):
        raise errors.StatementRefused(
            message='Names with escapes (U&"…") are refused on a read-only connection. Write the name itself.'
        )
    if (found := _acting(sql)) is not None:
        raise errors.ReadOnly(
            message=f"This connection only reads. It does not call {found}, which changes the server."
        )


def _acting(sql: str) -> str | None:
    """The function with effects that a statement calls, or may call if its text is ambiguous."""
    named = NAMES.search(sql)
    if named is None:
        return None
    if UNCLEAR.search(sql):
        return named[0]
    if any("/*" in token[0][2:] for token in TOKENS.finditer(sql) if token["blank"]):  # comments nest
        return named[0]
    bare = TOKENS.sub(_plain, sql)
    called = CALLED.search(bare) or ATTRIBUTE.search(bare)
    return called[1] if called else None


def _plain(token: re.Match[str]) -> str:
    """A blank for a comment, an empty literal for each literal, and the bare name for a quoted name."""
    if token["blank"]:
        return " "
    return "''" if token["literal"] else re.sub(r"[^\w$]", "_", token["name"])
