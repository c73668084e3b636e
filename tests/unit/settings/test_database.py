"""Addresses of metadata databases: as providers hand them out, as people write them, and what is refused of them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from moorings.errors import OperatorError
from moorings.settings import load
from moorings.settings.database import PostgresAddress, SqliteAddress, parsed


def postgres(url: str) -> PostgresAddress:
    found = parsed(url)
    assert isinstance(found, PostgresAddress)
    return found


HANDED_OUT = {
    "heroku": ("postgres://u:p@ec2-1-2.compute.amazonaws.com:5432/d1", "prefer"),
    "neon": (
        "postgresql://u:p@ep-x-pooler.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
        "verify-full",
    ),
    "digitalocean": ("postgresql://doadmin:AVNS_p@db-1.k.db.ondigitalocean.com:25060/d?sslmode=require", "require"),
    "aiven": ("postgres://avnadmin:AVNS_p@pg-1.aivencloud.com:12691/defaultdb?sslmode=require", "require"),
    "azure": ("postgresql://me%40corp:p@x.postgres.database.azure.com:5432/postgres?sslmode=require", "require"),
    "supabase": ("postgresql://postgres.ref:p@aws-0.pooler.supabase.com:6543/postgres?pgbouncer=true", "prefer"),
    "sqlalchemy": ("postgresql+psycopg2://u:p@h/d?sslmode=disable", "disable"),
    "node": ("postgres://u:p@h/d?ssl=true", "require"),
}


@pytest.mark.parametrize("provider", HANDED_OUT)
def test_what_providers_hand_out_is_taken(provider: str) -> None:
    url, mode = HANDED_OUT[provider]
    address = postgres(url)
    arguments = address.arguments(5)
    assert (address.ssl_mode, address.password is not None) == (mode, True)
    assert arguments["database"] == address.database
    assert isinstance(arguments["ssl"], ssl.SSLContext) == (mode == "verify-full")


@pytest.mark.parametrize(
    ("url", "hosts", "database"),
    [
        ("postgresql:///metadata?host=/var/run/postgresql", [("/var/run/postgresql", 5432)], "metadata"),
        ("postgresql://u@%2Fvar%2Frun%2Fpostgresql/d", [("/var/run/postgresql", 5432)], "d"),
        ("postgresql:///d?host=/cloudsql/project:region:name&user=u", [("/cloudsql/project:region:name", 5432)], "d"),
        ("postgresql:///d", [], "d"),
        ("postgresql://u:p@[2001:db8::1]:5433/d", [("2001:db8::1", 5433)], "d"),
        ("postgresql://u:p@a:1,b/d?target_session_attrs=read-write", [("a", 1), ("b", 5432)], "d"),
        ("postgresql://u:p@/d?host=a,b&port=1,2", [("a", 1), ("b", 2)], "d"),
        ("postgresql://u:p@/d?host=a&host=b&port=7", [("a", 7), ("b", 7)], "d"),
        ("postgresql://u:p@h/my%20data", [("h", 5432)], "my data"),
        ("postgresql://u:p@h?dbname=other", [("h", 5432)], "other"),
    ],
)
def test_hosts_and_sockets(url: str, hosts: list[tuple[str, int]], database: str) -> None:
    address = postgres(url)
    assert (list(address.hosts), address.database) == (hosts, database)


def test_passwords_with_an_at_sign_or_a_hash_are_read_to_the_last_at_sign() -> None:
    address = postgres("postgresql://u:p@ss#1%2F2@h/d")
    assert (address.user, address.password, list(address.hosts)) == ("u", "p@ss#1/2", [("h", 5432)])


def test_options_and_the_name_reach_the_server() -> None:
    arguments = postgres(
        "postgresql://u@h/d?options=-c%20search_path%3Dx&application_name=a&connect_timeout=3"
    ).arguments(5)
    assert arguments["server_settings"] == {"application_name": "a", "options": "-c search_path=x"}
    assert arguments["timeout"] == 3


def test_a_root_certificate_makes_require_check_the_certificate(tmp_path: Path) -> None:
    import certifi

    address = postgres(f"postgresql://u@h/d?sslmode=require&sslrootcert={certifi.where()}")
    assert address.ssl_mode == "verify-ca"
    context = address.arguments(5)["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_behind_a_pooler_no_prepared_statement_is_kept() -> None:
    assert postgres("postgresql://u@h/d?pgbouncer=true").arguments(5)["statement_cache_size"] == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:s3cret@h/d", "mysql databases are not supported. Use postgresql://"),
        ("mysql+pymysql://u:s3cret@h/d", "mysql databases are not supported"),
        ("h:5432/d", "no scheme"),
        ("postgresql://u:s3cret@h/d?sslmod=require", "unknown parameter 'sslmod'. Did you mean sslmode?"),
        ("postgresql://u:s3cret@h/d?keepalives_idle=1", "unknown parameter 'keepalives_idle'. Known parameters: host"),
        ("postgresql://u:s3cret@h/d?schema=x", "Write options=-csearch_path="),
        ("postgresql://u:s3cret@h/d?sslmode=on", "sslmode must be disable, allow, prefer"),
        ("postgresql://u:s3cret@h/d?sslrootcert=/no/such.pem", "sslrootcert cannot read /no/such.pem: No such file"),
        ("postgresql://u:s3cret@h/d?target_session_attrs=standby", "target_session_attrs must be any, read-write"),
        ("postgresql://u:s3cret@h/d?sslmode=disable&channel_binding=require", "channel_binding=require needs TLS"),
        ("postgresql://u:s3cret@h:0/d", "the port must be a number from 1 to 65535"),
        ("postgresql://u:s3cret@h:70000/d", "the port must be"),
        ("postgresql://u:s3cret@2001:db8::1/d", "put an IPv6 address into brackets"),
        ("postgresql://u:s3cret@/d?host=a,b&port=1,2,3", "2 hosts and 3 ports"),
        ("postgresql://u:s3/cret@h/d", "Percent-encode the characters / ? @"),
        ("postgresql://u:s?3cret@h/d", "Percent-encode the characters / ? @"),
        ("sqlite://", "four before an absolute one"),
        ("sqlite:///", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///x.db?mode=ro", "takes no parameters"),
    ],
)
def test_what_is_refused_is_named_without_the_password(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_DATABASE_URL", url)
    with pytest.raises(OperatorError) as refused:
        load()
    assert refused.value.message.startswith("MOORINGS_DATABASE_URL: ")
    assert said in refused.value.message
    assert "cret" not in refused.value.message


def test_sqlite_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed("sqlite:////var/lib/m.db") == SqliteAddress(Path("/var/lib/m.db"))
    assert parsed("sqlite+aiosqlite:///m.db") == SqliteAddress(Path("m.db").absolute())


def test_no_repr_shows_the_password() -> None:
    address = postgres("postgresql://u:s3cret@h/d?sslpassword=s3cret")
    assert "s3cret" not in repr(address) + str(address) + repr(SecretStr("s3cret"))
    assert str(address) == "PostgreSQL d on h:5432"
