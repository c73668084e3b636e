"""Findings of the doctor that no test machine can produce by itself."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from moorings.cli.doctor import drivers, remote
from moorings.cli.doctor.findings import run
from moorings.cli.doctor.stored import Stored
from moorings.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def stored(**facts: Any) -> Stored:
    return Stored(**({"schema": "1", "keyset": None, "dialects": frozenset(), "tls": None, "ahead": 0.0} | facts))


@pytest.mark.parametrize(
    ("url", "facts", "state", "said"),
    [
        ("postgresql://u@h/d", {}, "note", "not encrypted: add ?sslmode=require"),
        ("postgresql://u@h/d?sslmode=require", {"tls": "TLSv1.3"}, "note", "without a check of the certificate"),
        ("postgresql://u@h/d?sslmode=verify-full", {"tls": "TLSv1.3"}, "ok", "TLSv1.3, certificate checked"),
        ("postgresql:///d?host=/run/postgresql", {}, "ok", "a Unix socket needs none"),
    ],
)
def test_tls_of_the_database(
    url: str, facts: dict[str, Any], state: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "stored", lambda _: stored(**facts))
    [found] = run({"tls": remote.database_tls}, settings(database_url=url))
    assert (found.state, said in found.message) == (state, True)


@pytest.mark.parametrize(
    ("ahead", "state"), [(0.2, "ok"), (-3.0, "note"), (3.0, "note"), (-20.0, "fail"), (20.0, "fail")]
)
def test_clock(ahead: float, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "stored", lambda _: stored(ahead=ahead))
    [found] = run({"clock": remote.clock}, settings(database_url="postgresql://u@h/d"))
    assert found.state == state


def test_a_missing_driver_is_a_fault_only_where_a_connection_uses_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(package: str) -> str:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(drivers, "stored", lambda _: stored(dialects=frozenset({"trino"})))
    states = {each.check: each.state for each in drivers.examine(settings(data_dir=tmp_path))}
    assert states.pop("dialect trino") == "fail"
    assert states["dialect duckdb"] == "ok"
    assert set(states.values()) == {"ok", "note"}
