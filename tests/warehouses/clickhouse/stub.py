"""ClickHouse's HTTP interface in front of `chdb`, the real engine as a library.

Real: SQL, types, formats, error codes, settings with their constraints (`readonly`), parameters, databases, system
tables, KILL QUERY, max_execution_time. Ours: the HTTP interface as https://clickhouse.com/docs/interfaces/http tells it
(logins, which parameters are settings, the format, headers of answers, one statement a request), and user profiles.
Missing: grants, since chdb has one user; streaming, since an answer is sent when it is whole; stopping what a client
has left.

Run by chdb's interpreter: `stub.py <TLS port> <plain port> <certificate> <key> <folder>`, with the password
of `moorings` in the environment.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import urllib.parse
from typing import Any

import chdb

sys.path.append(__file__.rsplit("/", 2)[0] + "/servers")
from http_stub import Handler, server

FOLDER = sys.argv[5]
USERS = {
    "moorings": (os.environ["PASSWORD"], {}),
    "reader": ("reader", {"readonly": "1"}),
    "careful": ("careful", {"readonly": "2"}),
}
"""User → password and profile."""
NAMED_BY = "insert_deduplication_token"
"""The setting that holds the id of a statement: free text, which nothing else here uses."""
NO_SETTINGS = {
    "query", "user", "password", "database", "default_format", "query_id", "session_id", "quota_key", "role",
    "buffer_size", "wait_end_of_query", "compress", "decompress", "client_protocol_version", "enable_http_compression",
}  # fmt: skip
STATUS = {"516": 403, "497": 403, "81": 404, "60": 404, "62": 400, "159": 408}
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
requested: list[str] = []
"""The statements so far."""


class ClickHouse(Handler):
    """One client's requests."""

    def do_GET(self) -> None:  # noqa: N802
        """The ping, the statements that came so far, or a statement."""
        path = urllib.parse.urlsplit(self.path).path
        if path == "/ping":
            self.answer(200, b"Ok.\n", {})
        elif path == "/asked":
            self.answer(200, json.dumps(requested).encode(), {})
        else:
            self.do_POST()

    def do_POST(self) -> None:  # noqa: N802
        """A statement, in the URL, the body, or both."""
        given = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        body = self.body().decode("utf-8", "surrogateescape")
        sql = f"{given['query']}\n{body}" if "query" in given else body
        login = self.basic()
        user = USERS.get(login[0]) if login else None
        if login is None or user is None or user[0] != login[1]:
            self.refuse(
                f"Code: 516. DB::Exception: {login[0] if login else 'default'}: Authentication failed: password is"
                " incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
            )
            return
        requested.append(sql)
        self.run(sql, given, user[1])

    def run(self, sql: str, given: dict[str, str], profile: dict[str, str]) -> None:
        """Run a statement in a session of its own, as each request is."""
        query_id = given.get("query_id", "")
        reply = re.search(r"\bFORMAT\s+(\w+)\s*;?\s*$", sql)
        expected = given.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        if re.search(r";\s*\S", QUOTED.sub("", sql)):
            self.refuse("Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
            return
        try:
            with chdb.connect(FOLDER) as session:
                result = self.result(session, sql, given, profile, expected)
        except Exception as error:  # noqa: BLE001  # chdb raises several kinds of its own
            self.refuse(str(error))
            return
        headers = {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Summary": "{}"}
        if result:
            headers["X-ClickHouse-Format"] = reply[1] if reply else expected
        self.answer(200, result, headers)

    def result(self, session: Any, sql: str, given: dict[str, str], profile: dict[str, str], expected: str) -> bytes:
        """What the engine answers, settled as the request asks."""
        settings = {name: value for name, value in given.items() if self.is_setting(name)}
        # The engine names statements itself: ours keep their id in a setting, which its list of processes shows.
        for each in ({NAMED_BY: given.get("query_id", "")}, profile, settings):
            if each:
                session.query("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in each.items()))
        if database := given.get("database"):
            session.query(f"USE `{database}`")
        sql = re.sub(r"^(KILL QUERY WHERE )query_id", rf"\1Settings['{NAMED_BY}']", sql)
        parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
        return bytes(session.query(sql, expected, params=parameters or None).bytes() or b"")

    def is_setting(self, name: str) -> bool:
        """Whether a parameter of the URL is a setting of the engine."""
        return name not in NO_SETTINGS and not name.startswith("param_")

    def refuse(self, text: str) -> None:
        """Answer an error: the first code of its text counts."""
        code = re.search(r"Code: (\d+)", text)
        number = code[1] if code else "1002"
        self.answer(STATUS.get(number, 500), text.encode(), {"X-ClickHouse-Exception-Code": number})


def literal(value: str) -> str:
    """A value of a setting, as SQL."""
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


if __name__ == "__main__":
    with chdb.connect(FOLDER) as first:
        first.query("CREATE DATABASE app")
        secure = server(int(sys.argv[1]), ClickHouse, (sys.argv[3], sys.argv[4]))
        threading.Thread(target=secure.serve_forever, daemon=True).start()
        server(int(sys.argv[2]), ClickHouse).serve_forever()
