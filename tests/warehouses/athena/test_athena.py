"""What is Athena's own: roles and external ids, reading only by the first word, and results by pages and from S3."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Session, Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import SENTINEL, Server, Warehouse
from moorings.testing.room import failed, run_inside
from tests.warehouses.athena import server as emulated
from tests.warehouses.athena.server import ACCOUNT, BUCKET, client, user
from tests.warehouses.servers.process import certificate

EXTERNAL_ID = "an-external-id"

Refusal = Callable[[Callable[[], Any]], errors.WarehouseError]


@pytest.fixture(scope="module")
def warehouse(athena_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(emulated.UNDER, athena_server, tmp_path_factory.mktemp("athena"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any credentials of AWS's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def role(athena_server: Server) -> dict[str, Any]:
    """A role that asks for an external id; how to log in with it."""
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    allowed = {"Effect": "Allow", "Action": ["athena:*", "glue:*", "s3:*"], "Resource": "*"}
    with client(athena_server, "iam") as iam:
        made = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=_policy(trust))["Role"]
        iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=_policy(allowed))
    return {"authenticationType": "aws-cross-account-role", "awsRoleArn": made["Arn"]}


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.usefixtures("alone")
class TestRoles:
    def test_with_a_key_that_was_given(self, probe: Callable[..., TestReport], role: dict[str, Any]) -> None:
        report = probe(**role, externalOauthAudience=EXTERNAL_ID)
        assert report.success, report

    @pytest.mark.parametrize("external_id", [None, "another"])
    def test_with_another_external_id(
        self, probe: Callable[..., TestReport], role: dict[str, Any], external_id: str | None
    ) -> None:
        report = probe(**role, externalOauthAudience=external_id)
        failed(report, "authenticate", "login_refused", "awsRoleArn", "externalOauthAudience")

    def test_with_the_services_own_credentials(
        self,
        probe: Callable[..., TestReport],
        role: dict[str, Any],
        warehouse: Warehouse,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        own = warehouse.config()
        nothing = {"username": None, "passwordUnencrypted": None, "externalOauthAudience": EXTERNAL_ID}
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", own.username or "")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", own.secrets()["password"])
        report = probe(**role | nothing)
        failed(report, "authenticate", "login_refused", "username", "passwordUnencrypted")
        assert report.failure is not None
        assert "MOORINGS_AWS_ACCESS_KEY_ID" in report.failure.message
        key = {"aws_access_key_id": own.username, "aws_secret_access_key": own.secrets()["password"]}
        config = warehouse.config(**role | nothing)
        report = run_inside(warehouse, lambda room: room.engine.test(warehouse.dialect, config), **key)
        assert report.success, report

    def test_a_key_never_falls_back_to_the_services_own(
        self, probe: Callable[..., TestReport], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = warehouse.config()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", own.username or "")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", own.secrets()["password"])
        report = probe(passwordUnencrypted="wrong-password")
        failed(report, "authenticate", "login_refused", "username", "passwordUnencrypted")

    def test_with_a_key_no_file_is_read(
        self, probe: Callable[..., TestReport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".aws").mkdir()
        for name in ("config", "credentials"):
            (tmp_path / ".aws" / name).write_text("no such thing as a [section")
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        assert probe().success


class TestReading:
    @pytest.mark.parametrize(
        "sql",
        [
            "DROP TABLE kept",
            "/* SELECT */ DROP TABLE kept",
            "-- SELECT\nDROP TABLE kept",
            "  \n DROP TABLE kept -- SELECT",
            "EXPLAIN ANALYZE DROP TABLE kept",
            "CREATE EXTERNAL TABLE made (a int) LOCATION 's3://b/c'",
            "UNLOAD (SELECT 1) TO 's3://b/c' WITH (format = 'JSON')",
            "MSCK REPAIR TABLE kept",
            "EXECUTE prepared",
        ],
    )
    def test_nothing_else_passes(
        self, session: Callable[..., Session], warehouse: Warehouse, sql: str, refusal: Refusal
    ) -> None:
        warehouse.ask(
            "DROP TABLE IF EXISTS kept", f"CREATE EXTERNAL TABLE kept (a int) LOCATION 's3://{BUCKET}/nothing/'"
        )
        opened = session()
        assert isinstance(refusal(lambda: opened.query(Statement(sql))), (errors.ReadOnly, errors.StatementRefused))
        assert opened.query(Statement("SELECT * FROM kept")).read_all().num_rows == 0

    def test_a_connection_that_may_write_does(
        self, session: Callable[..., Session], warehouse: Warehouse, refusal: Refusal
    ) -> None:
        warehouse.ask(
            "DROP TABLE IF EXISTS kept", f"CREATE EXTERNAL TABLE kept (a int) LOCATION 's3://{BUCKET}/nothing/'"
        )
        opened = session(readOnly=False)
        opened.query(Statement("DROP TABLE kept", read_only=False)).read_all()
        fault = refusal(lambda: opened.query(Statement("SELECT * FROM kept")))
        assert isinstance(fault, errors.StatementRefused)

    def test_a_plan_runs_nothing(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        opened = session(readOnly=False)
        warehouse.ask(
            "DROP TABLE IF EXISTS kept", f"CREATE EXTERNAL TABLE kept (a int) LOCATION 's3://{BUCKET}/nothing/'"
        )
        with contextlib.suppress(Exception):  # engines differ in whether they plan what writes
            opened.plan(Statement("INSERT INTO kept VALUES (1)", read_only=False))
        assert opened.query(Statement("SELECT * FROM kept")).read_all().num_rows == 0
        assert len(opened.plan(Statement("SELECT 1 AS one;\n")).text) > 10
        with pytest.raises(errors.StatementRefused):
            opened.plan(Statement("ANALYZE SELECT 1"))


class TestResults:
    NULLS = (
        "SELECT CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN '' ELSE 'a \"b\", ' || chr(10) || 'c' END AS text,"
        " CASE WHEN i % 2 = 0 THEN i END AS number FROM range({rows}) AS t(i)"
    )

    @pytest.mark.parametrize("rows", [900, 3000])
    def test_null_is_not_empty_text(self, session: Callable[..., Session], rows: int) -> None:
        found = session().query(Statement(self.NULLS.format(rows=rows))).read_all().to_pylist()
        texts = (None, "", 'a "b", \nc')
        assert found == [
            {"text": texts[number % 3], "number": None if number % 2 else number} for number in range(rows)
        ]

    def test_without_s3_they_come_by_pages(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        assert warehouse.server is not None
        pager = user(warehouse.server, "pager", "*", denied=("s3:GetObject",))
        found = session(**pager).query(Statement(self.NULLS.format(rows=3000))).read_all().to_pylist()
        assert len(found) == 3000
        assert [row["text"] for row in found[:2]] == [None, ""]

    def test_batches_are_no_larger_than_asked(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        reader = session().query(Statement(warehouse.sql.many.format(rows=3000), batch_rows=700))
        assert max(batch.num_rows for batch in reader) <= 700

    def test_a_bucket_that_is_not_there(self, probe: Callable[..., TestReport]) -> None:
        report = probe(resultsLocation="s3://no-such-bucket/results")
        failed(report, "query", "statement_forbidden", "resultsLocation")

    def test_who_may_not_run_statements(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        assert warehouse.server is not None
        onlooker = user(warehouse.server, "onlooker", "athena:GetWorkGroup", "glue:*")
        failed(probe(**onlooker), "query", "statement_forbidden")


class TestTls:
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        """A server with a certificate that nobody knows."""
        import ssl
        import threading

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(tmp_path))

        class Silent(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
            server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients break off
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"https://localhost:{server.server_port}"
            server.shutdown()

    def test_an_unknown_authority_is_refused(self, probe: Callable[..., TestReport], url: str) -> None:
        failed(probe(hostOverride=url), "tls", "certificate_refused", "sslRootCert", "hostOverride", "region")

    def test_a_trusted_certificate_is_not_verified(self, probe: Callable[..., TestReport], url: str) -> None:
        report = probe(hostOverride=url, trustServerCertificate=True)
        assert report.failure is not None
        assert report.failure.code == "another_service"  # what answers is no AWS, and was asked
        assert SENTINEL not in repr(report)
