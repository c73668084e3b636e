"""What is BigQuery's own: credentials, bills, dry runs, labels, and both ways that rows come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Scope
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import failed
from tests.warehouses.bigquery import server as emulated
from tests.warehouses.bigquery.front import AUDIENCE, BYTES, SUBJECT_TOKEN, Front
from tests.warehouses.bigquery.server import PROJECT, account, keys
from tests.warehouses.servers.process import certificate, free_port

TABLE = f"SELECT * FROM `{PROJECT}`.app.written"

Refusal = Callable[[Callable[[], Any]], errors.WarehouseError]


@pytest.fixture(scope="module")
def warehouse(bigquery_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    made = Warehouse(emulated.UNDER, bigquery_server, tmp_path_factory.mktemp("bigquery"))
    made.ask("DROP TABLE IF EXISTS written", "CREATE TABLE written (number INT64)")
    return made


@pytest.fixture
def front(bigquery_server: Server) -> Front:
    return emulated.FRONTS[bigquery_server.port]


class TestJobs:
    def test_they_carry_what_bounds_them_and_who_asked(self, session: Callable[..., Session], front: Front) -> None:
        opened = session(maxBillingBytes=str(BYTES), queryTimezone="Asia/Tokyo", region="EU")
        opened.query(Statement("SELECT 1 AS one", query_id="A-1", timeout_seconds=7.5)).read_all()
        for job in front.submitted[-2:]:  # the dry run, and the job
            query = job["configuration"]["query"]
            assert query["maximumBytesBilled"] == str(BYTES)
            assert query["connectionProperties"] == [{"key": "time_zone", "value": "Asia/Tokyo"}]
            assert query["defaultDataset"]["datasetId"] == "app"
            assert job["configuration"]["labels"] == {"application": "moorings", "moorings_query_id": "a-1"}
            assert job["configuration"]["jobTimeoutMs"] == "7500"
            assert job["jobReference"]["location"] == "EU"
        assert [job["configuration"].get("dryRun", False) for job in front.submitted[-2:]] == [True, False]

    def test_one_that_would_cost_more_is_refused(
        self, session: Callable[..., Session], warehouse: Warehouse, refusal: Refusal
    ) -> None:
        opened = session(maxBillingBytes="1000")
        fault = refusal(lambda: opened.query(Statement(TABLE)).read_all())
        assert isinstance(fault, errors.StatementRefused)
        assert fault.fields == ("max_billing_bytes",)

    def test_its_time_limit_is_told_as_one(
        self, session: Callable[..., Session], warehouse: Warehouse, refusal: Refusal
    ) -> None:
        slow = Statement(warehouse.sql.slow.format(marker="limited"), timeout_seconds=0.3)
        opened = session()
        assert isinstance(refusal(lambda: opened.query(slow).read_all()), errors.QueryTimeout)

    def test_a_table_that_may_not_be_read(
        self, session: Callable[..., Session], warehouse: Warehouse, refusal: Refusal
    ) -> None:
        assert warehouse.server is not None
        opened = session(passwordUnencrypted=account("reader"))
        assert isinstance(refusal(lambda: opened.query(Statement(TABLE))), errors.StatementForbidden)


class TestDryRuns:
    def test_the_test_tells_an_estimate(self, probe: Callable[..., TestReport]) -> None:
        assert probe().steps[-1].message == "A query ran; a dry run estimates 0 bytes."

    def test_a_plan_tells_how_many_bytes(self, session: Callable[..., Session]) -> None:
        plan = session().plan(Statement(TABLE))
        assert plan.estimated_bytes == BYTES
        assert plan.text.startswith(f"SELECT: would read {BYTES} bytes")

    def test_a_plan_of_a_write_does_not_write(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        plan = session().plan(Statement("INSERT INTO written VALUES (1)"))
        assert plan.text.startswith("INSERT")
        assert warehouse.ask("SELECT * FROM written") == []


class TestRows:
    def test_without_the_storage_api_they_come_by_pages(
        self, session: Callable[..., Session], warehouse: Warehouse
    ) -> None:
        assert warehouse.server is not None
        api = f"http://127.0.0.1:{warehouse.server.port}"
        for endpoints in (api, f"bigquery={api}, storage=http://127.0.0.1:{free_port()}"):
            reader = session(hostOverride=endpoints).query(Statement(warehouse.sql.many.format(rows=3000)))
            assert [row["number"] for row in reader.read_all().to_pylist()] == list(range(1, 3001))

    def test_by_either_way_they_have_the_same_types(
        self, session: Callable[..., Session], warehouse: Warehouse
    ) -> None:
        assert warehouse.server is not None
        sql = (
            "SELECT n, CAST(n AS NUMERIC) AS a, TIMESTAMP '2020-01-01 00:00:00+00' AS b, [n] AS c, 1.5 AS d,"
            " DATE '2020-01-01' AS e, FROM_HEX('00') AS f FROM UNNEST(GENERATE_ARRAY(1, 1500)) AS n ORDER BY n"
        )
        api = f"http://127.0.0.1:{warehouse.server.port}"
        by_storage = session().query(Statement(sql)).read_all()
        by_pages = session(hostOverride=api).query(Statement(sql)).read_all()
        assert by_storage.schema == by_pages.schema
        assert by_storage.to_pylist() == by_pages.to_pylist()

    def test_batches_are_no_larger_than_asked(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        reader = session().query(Statement(warehouse.sql.many.format(rows=3000), batch_rows=700))
        assert max(batch.num_rows for batch in reader) <= 700


class TestComments:
    def test_of_tables(self, session: Callable[..., Session], warehouse: Warehouse) -> None:
        warehouse.ask("CREATE OR REPLACE TABLE noted (a INT64) OPTIONS (description = 'A \"noted\" one')")
        found = {table.name: table.comment for table in session().tables(Scope())}
        assert found["noted"] == 'A "noted" one'


def federated(front: Front, source: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a connection by workload identity federation needs."""
    url = f"http://127.0.0.1:{front.port}"
    iam = f"{url}/v1/projects/-/serviceAccounts/x@y:generateAccessToken"
    made = {"token_url": f"{url}/sts", "service_account_impersonation_url": iam, "credential_source": source}
    login = {"authenticationType": "bigquery-workload-identity-federation", "wifAudience": AUDIENCE}
    return login | {"passwordUnencrypted": json.dumps(made | changes), "wifServiceAccountEmail": "acting@project.iam"}


class TestFederation:
    def test_the_token_is_in_a_file(self, probe: Callable[..., TestReport], front: Front, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(SUBJECT_TOKEN)
        report = probe({"credential_dirs": str(tmp_path)}, **federated(front, {"file": str(tmp_path / "token")}))
        assert report.success, report
        assert list(front.tokens.values())[-1] == "acting@project.iam"

    def test_a_url_hands_it_out(self, probe: Callable[..., TestReport], front: Front) -> None:
        how = {"headers": {"x-for": "moorings"}, "format": {"type": "json", "subject_token_field_name": "token"}}
        source = {"url": f"http://127.0.0.1:{front.port}/subject", **how}
        for changes in ({"service_account_impersonation_url": None}, {}):
            report = probe(**federated(front, source, **changes))
            assert report.success, report

    def test_a_token_of_someone_else(self, probe: Callable[..., TestReport], front: Front, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("wrong-password")
        report = probe({"credential_dirs": str(tmp_path)}, **federated(front, {"file": str(tmp_path / "token")}))
        failed(report, "authenticate", "login_refused", "passwordUnencrypted")

    @pytest.mark.parametrize(
        "source",
        [
            {},
            {"executable": {"command": "/bin/true"}},
            {"environment_id": "aws1", "url": "http://169.254.169.254/latest"},
            {"file": "/dev/zero"},
            {"file": "/no/such/file"},
        ],
    )
    def test_other_sources_are_refused(
        self, probe: Callable[..., TestReport], front: Front, source: dict[str, Any]
    ) -> None:
        requested = len(front.requested)
        report = probe(**federated(front, source))
        failed(report, "authenticate", "login_refused", "passwordUnencrypted")
        assert len(front.requested) == requested

    @pytest.mark.parametrize(
        "changes",
        [
            {"token_url": "https://sts.example.com/v1/token"},
            {"token_url": "http://sts.googleapis.com/v1/token"},
            {"token_url": "https://sts.googleapis.com.example.com/v1/token"},
            {"service_account_impersonation_url": "https://iam.example.com/v1:generateAccessToken"},
        ],
    )
    def test_what_was_read_goes_to_google_alone(
        self, probe: Callable[..., TestReport], front: Front, tmp_path: Path, changes: dict[str, str]
    ) -> None:
        (tmp_path / "token").write_text(SUBJECT_TOKEN)
        source = {"file": str(tmp_path / "token")}
        report = probe({"credential_dirs": str(tmp_path)}, **federated(front, source, **changes))
        failed(report, "authenticate", "login_refused", "passwordUnencrypted")

    def test_nor_is_the_session_anyone_elses(self, warehouse: Warehouse, front: Front, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(SUBJECT_TOKEN)
        changes = federated(front, {"file": str(tmp_path / "token")}) | {"hostOverride": "https://example.com"}
        with pytest.raises(errors.LoginRefused, match="Google alone"):
            warehouse.dialect.connect(
                warehouse.config(**changes),
                SessionContext(3, credential_directories=(str(tmp_path),), **warehouse.settings),
            )


class TestSignIns:
    @pytest.mark.parametrize("kind", ["bigquery-oauth-user", "bigquery-byo-oauth-user"])
    def test_a_users_own_is_asked_for(self, probe: Callable[..., TestReport], kind: str) -> None:
        client = {"oauthClientId": "id", "oauthClientSecretUnencrypted": "secret", "passwordUnencrypted": None}
        report = probe(authenticationType=kind, **client)
        failed(report, "authenticate", "login_refused", "authenticationType")
        assert report.failure is not None
        assert "sign-in" in report.failure.message

    def test_nothing_is_taken_from_the_machine(
        self, session: Callable[..., Session], front: Front, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{front.port}")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file")
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
        before = len(front.requested)
        session().query(Statement("SELECT 1 AS one")).read_all()
        assert {path.split("/")[1] for path in front.requested[before:]} == {"token", "bigquery"}


class TestTls:
    @pytest.fixture
    def secure(self, bigquery_server: Server, tmp_path: Path) -> Iterator[tuple[dict[str, Any], str]]:
        """What connects to a front with TLS, and the certificate of its authority."""
        crt, key = certificate(tmp_path)
        front = Front(emulated.FRONTS[bigquery_server.port].emulator_port, keys()[1], (crt, key))
        url = f"https://localhost:{front.port}"
        yield {"hostOverride": url, "settings": {"google_sts_url": f"{url}/sts"}}, crt.read_text()
        front.close()

    def test_an_unknown_authority_is_refused(
        self, probe: Callable[..., TestReport], secure: tuple[dict[str, Any], str]
    ) -> None:
        failed(probe(**secure[0]), "tls", "certificate_refused", "sslRootCert", "hostOverride")

    def test_the_authority_that_was_given_is_known(
        self, probe: Callable[..., TestReport], secure: tuple[dict[str, Any], str]
    ) -> None:
        report = probe(**secure[0], sslRootCert=secure[1])
        assert {step.status for step in report.steps} == {"passed"}, report

    def test_a_trusted_certificate_is_not_verified(
        self, probe: Callable[..., TestReport], secure: tuple[dict[str, Any], str]
    ) -> None:
        assert probe(**secure[0], trustServerCertificate=True).success

    def test_another_host_name_is_refused(
        self, probe: Callable[..., TestReport], secure: tuple[dict[str, Any], str]
    ) -> None:
        elsewhere = secure[0]["hostOverride"].replace("localhost", "127.0.0.1")
        settings = {"google_sts_url": f"{elsewhere}/sts"}
        report = probe(settings, hostOverride=elsewhere, sslRootCert=secure[1])
        failed(report, "tls", "certificate_refused", "hostOverride")
