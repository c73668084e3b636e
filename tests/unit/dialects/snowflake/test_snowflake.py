"""Snowflake without Snowflake: names of hosts, faults by number, keys from rows, types from the catalog."""

from __future__ import annotations

from typing import Any

import pytest

from moorings.dialects.introspection import ForeignKey, Scope
from moorings.dialects.snowflake.config import Config
from moorings.dialects.snowflake.faults import FAULTS, fault_key
from moorings.dialects.snowflake.introspection import tables
from moorings.dialects.snowflake.types import arrow_type, native_type

BODY = {
    "dialect": "snowflake",
    "name": "tested",
    "warehouse": "wh",
    "database": "app",
    "username": "u",
    "passwordUnencrypted": "p",
}


class TestHost:
    @pytest.mark.parametrize(
        ("where", "server", "account"),
        [
            ({"host": "myorg-main"}, "myorg-main.snowflakecomputing.com", "myorg-main"),
            ({"host": "my_org-main"}, "my-org-main.snowflakecomputing.com", "my_org-main"),
            ({"host": "xy12345.us-east-1"}, "xy12345.us-east-1.snowflakecomputing.com", "xy12345"),
            ({"host": "xy12345.cn-northwest-1"}, "xy12345.cn-northwest-1.snowflakecomputing.cn", "xy12345"),
            ({"hostOverride": "a.privatelink.snowflakecomputing.com"}, "a.privatelink.snowflakecomputing.com", "a"),
        ],
    )
    def test_it_follows_from_the_account(self, where: dict[str, str], server: str, account: str) -> None:
        config = Config.read(BODY | where)
        assert (config.server, config.account) == (server, account)


class SaidError(Exception):
    def __init__(self, text: str, errno: int = -1) -> None:
        super().__init__(text)
        self.errno = errno


class ProgrammingError(SaidError):
    pass


class TestFaults:
    @pytest.mark.parametrize(
        ("error", "key"),
        [
            (SaidError("Incorrect username or password", 390100), "390100"),
            (SaidError("The requested warehouse does not exist or not authorized.", 390201), "390201 warehouse"),
            (SaidError("The requested integration does not exist", 390201), None),
            (SaidError("MFA with TOTP is required", 394507), "394"),
            (ProgrammingError("Numeric value 'timed out' is not recognized", 100038), "statement"),
            (ProgrammingError("Object does not exist", 2003), "statement"),
            (SaidError("Connection refused (os error 111)", 250001), "refused"),
            (SaidError("login timed out after 3s", 14), "timed out"),
            (SaidError("something else", 250001), None),
        ],
    )
    def test_the_number_decides_and_else_the_text(self, error: SaidError, key: str | None) -> None:
        assert fault_key(error) == key
        assert key is None or key in FAULTS


class TestTypes:
    @pytest.mark.parametrize(
        ("declared", "arrow", "native"),
        [
            (("NUMBER", 38, 0, None), "decimal128(38, 0)", "NUMBER(38,0)"),
            (("NUMBER", 18, 0, None), "int64", "NUMBER(18,0)"),
            (("NUMBER", 10, 2, None), "decimal128(10, 2)", "NUMBER(10,2)"),
            (("TEXT", None, None, 50), "string", "VARCHAR(50)"),
            (("VECTOR", None, None, None), None, "VECTOR"),
        ],
    )
    def test_of_a_column(self, declared: Any, arrow: str | None, native: str) -> None:
        name, precision, scale, length = declared
        assert arrow_type(name, precision, scale) == arrow
        assert native_type(name, precision, scale, length) == native


def table(name: str) -> dict[str, Any]:
    place = {"table_catalog": "APP", "table_schema": "PUBLIC", "table_name": name}
    return place | {"table_type": "BASE TABLE", "comment": "", "row_count": 3, "bytes": 1024}


def imported(sequence: int, own: str, other: str) -> dict[str, Any]:
    places = {
        f"{end}_{part}_name": name
        for end, child in (("fk", "CHILDREN"), ("pk", "PARENTS"))
        for part, name in (("database", "APP"), ("schema", "PUBLIC"), ("table", child))
    }
    return places | {"key_sequence": sequence, "fk_name": "ref", "fk_column_name": own, "pk_column_name": other}


class TestKeys:
    def test_columns_are_paired_in_the_order_of_the_key(self) -> None:
        def ask(sql: str) -> list[dict[str, Any]]:
            answers = {
                "CURRENT_DATABASE": [{"name": "APP"}],
                "SCHEMA.TABLES": [table("PARENTS"), table("CHILDREN")],
                "IMPORTED": [imported(2, "B", "Y"), imported(1, "A", "X")],
            }
            return next((rows for word, rows in answers.items() if word in sql), [])

        children, parents = tables(ask, Scope())
        assert children.foreign_keys == [ForeignKey("ref", ("A", "B"), "APP", "PUBLIC", "PARENTS", ("X", "Y"))]
        assert (parents.comment, parents.row_count, parents.size_bytes) == (None, 3, 1024)
