"""Oracle's statements and faults, without Oracle."""

from __future__ import annotations

import pytest

from moorings import dialects, errors
from moorings.dialects.oracle.read_only import check_reads


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 FROM dual", " -- a\n(select 1 from dual)", "/* b */ WITH a AS (SELECT 1 FROM dual) SELECT * FROM a"],
)
def test_queries_read(sql: str) -> None:
    check_reads(sql)


@pytest.mark.parametrize(
    "sql", ["BEGIN COMMIT; END;", "-- SELECT\nDROP TABLE a", "/* SELECT */ INSERT INTO a VALUES (1)"]
)
def test_everything_else_may_write(sql: str) -> None:
    with pytest.raises(errors.ReadOnly):
        check_reads(sql)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ORA-01017: invalid credential or not authorized; logon denied", errors.LoginRefused),
        ("ORA-28000: The account is locked.", errors.AccountLocked),
        ('DPY-6001: Service "x" is not registered. (Similar to ORA-12514)', errors.DatabaseNotFound),
        ("DPY-6005: cannot connect to database\nDPY-6000: Listener refused. (Similar to ORA-12541)", errors.PortClosed),
        ("ORA-12170: TNS:Connect timeout occurred", errors.ConnectTimeout),
        ("ORA-00257: Archiver error", errors.SessionLost),
        ("ORA-00942: table or view does not exist", errors.StatementRefused),
        ("ORA-01031: insufficient privileges", errors.StatementForbidden),
        ("ORA-01456: may not perform insert", errors.ReadOnly),
        ("ORA-01013: user requested cancel of current operation", errors.QueryCancelled),
        ("DPY-4024: call timeout of 1000 ms exceeded", errors.QueryTimeout),
        ("ORA-03113: end-of-file on communication channel", errors.SessionLost),
        ("ORA-99999: something new", errors.StatementRefused),
    ],
)
def test_codes_become_faults(text: str, kind: type[errors.WarehouseError]) -> None:
    assert type(dialects.named("oracle").translate(RuntimeError(text), [])) is kind
