"""ministack, an emulator of AWS, whose Athena runs SQL on DuckDB over tables of Glue's and files of S3's.

It proves the login (signatures, roles with an external id, policies of IAM), workgroups, catalogs, results by pages and
from S3, cancel, faults and metadata; the statements' text is DuckDB's, so it proves nothing of Athena's SQL. It cannot
write to tables, and takes no INSERT.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.process import folder, free_port, running, unavailable, wait_until

ENVIRONMENT, STUB = Path(".engines/ministack").resolve(), Path(__file__).with_name("stub.py").resolve()
ROOT, REGION, BUCKET = "AKIAMOORINGSROOT0001", "eu-west-1", "moorings-results"
ACCOUNT = "000000000000"
USERS: dict[int, dict[str, str]] = {}
"""Who logs in to each server, by its port."""


@pytest.fixture(scope="session")
def athena_server() -> Iterator[Server]:
    """ministack, which checks signatures and policies, with a bucket for results and the database `app`."""
    program = ENVIRONMENT / "bin" / "python"
    if not program.exists():
        unavailable("ministack", "MOORINGS_TEST_REQUIRE=all sh scripts/engines.sh")
    with folder("athena") as home:
        port, log = free_port(), home / "log"
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(home),
            "S3_DATA_DIR": str(home / "s3"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "ATHENA_ENGINE": "duckdb",
            "MINISTACK_REGION": REGION,
            "SERVICES": "athena,glue,s3,sts,iam",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ROOT,
            "AWS_SECRET_ACCESS_KEY": SENTINEL,
            "SECRET": SENTINEL,
        }
        with running([program, STUB], log, signal=signal.SIGTERM, cwd=home, env=settings) as process:
            server = Server("127.0.0.1", port, ROOT, SENTINEL, "AwsDataCatalog", home, process.pid, log=log)
            wait_until(lambda: _prepare(server), process, log)
            USERS[port] = user(server, "moorings", "*")
            yield server


def _prepare(server: Server) -> None:
    with client(server, "s3") as s3, client(server, "glue") as glue:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for name in ("default", "closed"):
            glue.create_database(DatabaseInput={"Name": name})


@contextlib.contextmanager
def client(server: Server, service: str) -> Iterator[Any]:
    """A client of a service, as root."""
    from botocore.config import Config
    from botocore.session import Session

    made = Session().create_client(
        service,
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=server.username,
        aws_secret_access_key=server.password,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, s3={"addressing_style": "path"}),
    )
    try:
        yield made
    finally:
        made.close()


def user(server: Server, name: str, *allowed: str, denied: tuple[str, ...] = ()) -> dict[str, str]:
    """A user of IAM's who may do so much; returns what logs in."""
    statements = [{"Effect": "Allow", "Action": list(allowed), "Resource": "*"}]
    if denied:
        statements.append({"Effect": "Deny", "Action": list(denied), "Resource": "*"})
    with client(server, "iam") as iam:
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"username": key["AccessKeyId"], "passwordUnencrypted": key["SecretAccessKey"]}


def body(server: Server) -> dict[str, Any]:
    """What a connection needs; root's signatures are not checked, so a user logs in who may do everything."""
    url = f"http://127.0.0.1:{server.port}"
    place = {"region": REGION, "resultsLocation": f"s3://{BUCKET}/results", "hostOverride": url}
    return place | USERS[server.port] | {"host": None, "port": None, "database": None}


class Outside:
    """ministack as root sees it. Statements that its Athena does not know are calls of Glue's."""

    statements = None

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self.server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        with client(self.server, "glue") as glue, client(self.server, "athena") as athena:
            for statement in statements:
                if not self._as_glue(glue, statement):
                    self._run(athena, statement)
        return []

    def _as_glue(self, glue: Any, statement: str) -> bool:
        """What Athena does itself in SQL, and ministack by Glue's calls alone."""
        if found := re.fullmatch(r"(CREATE|DROP) DATABASE (\w+)", statement):
            if found[1] == "CREATE":
                glue.create_database(DatabaseInput={"Name": found[2]})
            else:
                for table in glue.get_tables(DatabaseName=found[2])["TableList"]:
                    glue.delete_table(DatabaseName=found[2], Name=table["Name"])
                glue.delete_database(Name=found[2])
        elif found := re.fullmatch(r"CREATE VIEW (\w+) \((.*)\)", statement):
            columns = [dict(zip(("Name", "Type"), part.split(), strict=True)) for part in found[2].split(",")]
            storage = {"Columns": columns, "Location": f"s3://{BUCKET}/nothing/"}
            view = {"Name": found[1], "TableType": "VIRTUAL_VIEW", "StorageDescriptor": storage}
            glue.create_table(DatabaseName="default", TableInput=view)
        elif found := re.fullmatch(r"DROP VIEW (\w+)", statement):
            glue.delete_table(DatabaseName="default", Name=found[1])
        return found is not None

    def _run(self, athena: Any, statement: str) -> None:
        place = {"OutputLocation": f"s3://{BUCKET}/outside/"}
        started = athena.start_query_execution(QueryString=statement, ResultConfiguration=place)["QueryExecutionId"]
        while (status := self._status(athena, started))["State"] in ("QUEUED", "RUNNING"):
            pass
        assert status["State"] == "SUCCEEDED", status

    @staticmethod
    def _status(athena: Any, execution: str) -> Any:
        return athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]

    def running(self, marker: str) -> int:
        with client(self.server, "athena") as athena:
            ids = athena.list_query_executions()["QueryExecutionIds"]
            found: list[Any] = []
            for first in range(0, len(ids), 50):
                requested = ids[first : first + 50]
                found += athena.batch_get_query_execution(QueryExecutionIds=requested)["QueryExecutions"]
        return sum(marker in each["Query"] and each["Status"]["State"] == "RUNNING" for each in found)

    def tagged(self, query_id: str) -> int:
        return self.running(query_id)

    def sessions(self) -> int:
        return 0

    def kill(self, session_id: str) -> None:
        raise AssertionError("Athena has no sessions")


MOMENT = datetime.datetime(2020, 2, 29, 10, 34, 56, 123456, tzinfo=datetime.UTC)
SQL = Sql(
    many="SELECT CAST(i AS INTEGER) AS number, 'row ' || i AS text FROM range(1, {rows} + 1) AS rows(i)",
    slow="SELECT count(*) AS {marker} FROM range(1000000) a(i), range(1000000) b(j) WHERE i * j % 7 = 3",
    mark="?",
    echo="SELECT CAST(? AS VARCHAR) AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("CAST(1 AS INTEGER)", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST(123.45 AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": Case("CAST('NaN' AS DOUBLE)", "double", float("nan")),
        "infinity": Case("CAST('-Infinity' AS DOUBLE)", "double", float("-inf")),
        "text": Case("'häß 😀, \"x\"'", "string", 'häß 😀, "x"'),
        "binary": Case("from_hex('00FF')", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("TIME '12:34:56.5'", "time64[us]", datetime.time(12, 34, 56, 500000)),
        "timestamp": Case("TIMESTAMP '2020-02-29 10:34:56.123456'", "timestamp[us]", MOMENT.replace(tzinfo=None)),
        "instant": "notyet: ministack writes instants in a form that Athena does not; see tests/unit/dialects",
        "array": "never: Athena writes arrays as text, which cannot be told apart from others",
        "object": "never: Athena writes rows as text, which cannot be told apart from others",
        "null": Case("CAST(NULL AS INTEGER)", "int32", None),
    },
    structure=(
        (
            "CREATE EXTERNAL TABLE parents (id int, name string COMMENT 'What they are called',"
            " amount decimal(10,2), made timestamp) COMMENT 'Who has children'"
            f" LOCATION 's3://{BUCKET}/nothing/'"
        ),
        f"CREATE EXTERNAL TABLE children (parent_id int, place int) LOCATION 's3://{BUCKET}/nothing/'",
        "CREATE VIEW named (id int, name string)",
        "CREATE DATABASE other",
        f"CREATE EXTERNAL TABLE other.elsewhere (a int) LOCATION 's3://{BUCKET}/nothing/'",
    ),
    structure_gone=("DROP VIEW named", "DROP TABLE children", "DROP TABLE parents", "DROP DATABASE other"),
)
BROKEN = (
    Broken("host", "resolve", "host_not_found", ["hostOverride"], {"hostOverride": "https://no-such-host.invalid"}),
    Broken(
        "port",
        "connect",
        "port_closed",
        ["hostOverride", "region"],
        lambda server: {"hostOverride": f"http://127.0.0.1:{free_port()}"},
    ),
    Broken(
        "certificate",
        "tls",
        "certificate_refused",
        unproduced="the emulator has no TLS; tests/warehouses/test_athena.py asks a server that has",
    ),
    Broken(
        "secret",
        "authenticate",
        "login_refused",
        ["username", "passwordUnencrypted"],
        {"passwordUnencrypted": "wrong-password"},
    ),
    Broken(
        "key",
        "authenticate",
        "login_refused",
        ["username", "passwordUnencrypted"],
        {"username": "AKIANOBODY0000000001"},
    ),
    Broken("workgroup", "database", "database_not_found", ["warehouse"], {"warehouse": "nowhere"}),
    Broken(
        "no grant on the workgroup",
        "database",
        "database_forbidden",
        ["warehouse"],
        lambda server: user(server, "stranger", "s3:*"),
    ),
    Broken("catalog", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken(
        "no place for results",
        "database",
        "database_forbidden",
        ["resultsLocation", "warehouse"],
        {"resultsLocation": None},
    ),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        lambda server: (
            user(server, "guest", "athena:*", "s3:*", denied=("athena:GetDatabase", "glue:GetDatabase"))
            | {"defaultSchema": "closed"}
        ),
    ),
    Broken(
        "no grant on the bucket",
        "query",
        "statement_forbidden",
        ["resultsLocation"],
        unproduced="ministack writes results as itself; a missing bucket is seen in tests/warehouses/test_athena.py",
    ),
)
UNDER = Under(
    "athena",
    "athena_server",
    SQL,
    Outside,
    body,
    lacks={
        "server": "never: the address is hostOverride; its faults are rows of the table",
        "tls": "notyet: the emulator has no TLS",
        "tls modes": "never: HTTPS has one mode",
        "session kill": "never: Athena has no sessions",
        "own sql": "notyet: the emulator's SQL is DuckDB's, and it has no second column of a name",
        "writes": "notyet: ministack writes to no table; seen in tests/warehouses/test_athena.py",
        "temporary tables": "never: a statement is a session of its own",
        "server timeout": "never: Athena has no time limit for a statement",
        "one statement": "notyet: ministack takes several; Athena takes one",
        "promptness": "notyet: ministack takes about the test's second to make a million rows",
        "zone": "never: Athena's statements are in UTC",
        "not null": "never: columns of Athena's may always be null",
        "keys": "never: Athena has no keys",
        "plan": "notyet: ministack explains as DuckDB does; seen in tests/warehouses/test_athena.py",
        "many tables": "notyet: ministack makes tables one call at a time; pages are seen in tests/unit/dialects",
        "grants": "never: a user is a key; seen in tests/warehouses/test_athena.py",
    },
    broken=BROKEN,
)
