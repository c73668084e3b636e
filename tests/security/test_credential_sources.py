"""Files and URLs that workload identity federation may name: what the operator lists, and nothing of the service's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from moorings.dialects import credential_files
from moorings.dialects.base import SessionContext
from moorings.dialects.bigquery.federation import fault_in

IAM = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam:generateAccessToken"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """The operator's directory, with a token."""
    directory = tmp_path / "listed"
    directory.mkdir()
    (directory / "token").write_text("a token")
    return directory


class TestFiles:
    def test_one_below_a_listed_directory_is_read(self, listed: Path) -> None:
        assert credential_files.read(str(listed / "token"), [str(listed)], []) == b"a token"

    @pytest.mark.parametrize("path", ["/etc/shadow", "/proc/self/environ", "/dev/zero", "/sys/kernel/notes", "token"])
    def test_none_elsewhere(self, listed: Path, path: str) -> None:
        for directories in ([], [str(listed)], ["/", "/proc", "/dev", "/sys"] if path != "/etc/shadow" else []):
            with pytest.raises(credential_files.Refused):
                credential_files.read(path, directories, [])

    def test_no_dots(self, listed: Path) -> None:
        (listed.parent / "secret").write_text("secret")
        with pytest.raises(credential_files.Refused):
            credential_files.read(f"{listed}/../secret", [str(listed)], [])

    @pytest.mark.parametrize("kind", ["link", "linked directory", "pipe", "large", "directory"])
    def test_only_regular_files_of_a_size(self, listed: Path, kind: str) -> None:
        path = listed / "odd"
        if kind == "link":
            path.symlink_to(listed / "token")
        elif kind == "linked directory":
            path.symlink_to(listed)
            path /= "token"
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "large":
            path.write_bytes(b"x" * (credential_files.LONGEST + 1))
        else:
            path.mkdir()
        with pytest.raises(credential_files.Refused):
            credential_files.read(str(path), [str(listed)], [])

    def test_nothing_of_the_service(self, listed: Path) -> None:
        data = listed / "data"
        data.mkdir()
        (data / "keyset.json").write_text("{}")
        with pytest.raises(credential_files.Refused):
            credential_files.read(str(data / "keyset.json"), [str(listed)], [str(data)])


class TestConfigurations:
    @pytest.mark.parametrize(
        "given",
        [
            {"token_url": "http://127.0.0.1:9/"},
            {"token_url": "https://sts.googleapis.com/v1/token?x"},
            {"token_url": "https://storage.googleapis.com/v1/token"},
            {"service_account_impersonation_url": IAM.replace("iamcredentials", "storage")},
            {"service_account_impersonation_url": IAM.replace("generateAccessToken", "signBlob")},
            {"service_account_impersonation_url": f"{IAM}?x=y"},
            {"credential_source": {"executable": {"command": "/bin/true"}}},
            {"credential_source": {"environment_id": "aws1", "url": "https://x.example"}},
            {"credential_source": {"file": "/etc/shadow"}},
            {"credential_source": {"url": "file:///etc/shadow"}},
            {"credential_source": {"url": "https://x.example", "headers": {"a": "b\r\nc: d"}}},
        ],
    )
    def test_what_is_refused(self, given: dict[str, Any]) -> None:
        usual: dict[str, Any] = {"credential_source": {"url": "https://x.example/token"}}
        assert fault_in(usual, SessionContext()) is None
        reason = fault_in(usual | given, SessionContext())
        assert reason is not None
        assert "shadow" not in reason


FAULTS: dict[str, dict[str, Any]] = {
    "a token_url on loopback": {"token_url": "http://127.0.0.1:9/"},
    "another path of Google's": {"token_url": "https://sts.googleapis.com/v1/token?x"},
    "another service of Google's": {"token_url": "https://storage.googleapis.com/v1/token"},
    "an impersonation elsewhere": {"service_account_impersonation_url": "http://127.0.0.1:9/"},
    "a program": {"credential_source": {"executable": {"command": "/bin/true"}}},
    "an environment of AWS": {"credential_source": {"environment_id": "aws1", "url": "https://x.example"}},
    "a file of the machine": {"credential_source": {"file": "/etc/shadow"}},
    "the environment of the service": {"credential_source": {"file": "/proc/self/environ"}},
    "a file as a URL": {"credential_source": {"url": "file:///etc/shadow"}},
}


def _body(**changes: Any) -> dict[str, Any]:
    federation = {"type": "external_account", "credential_source": {"url": "https://x.example/token"}} | changes
    return {"passwordUnencrypted": json.dumps(federation), "wifAudience": "//iam.googleapis.com/p"}


class TestOverHttp:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_create_is_400_with_the_field(self, service: Any, fault: str) -> None:
        body = {"dialect": "bigquery", "name": "n"} | _body(**FAULTS[fault])
        answer = service.request("POST", "/connections", json=body)
        assert answer.status_code == 400
        assert "passwordUnencrypted: " in answer.json()["detail"]
        assert "shadow" not in answer.text

    @pytest.mark.parametrize("fault", FAULTS)
    def test_so_is_a_change_and_it_leaves_the_connection_as_it_was(self, service: Any, fault: str) -> None:
        body = {"dialect": "bigquery", "name": "n"} | _body()
        connection = service.request("POST", "/connections", json=body).json()["data"]
        before = service.request("GET", "/connections").json()
        answer = service.request("PATCH", f"/connections/{connection}", json=_body(**FAULTS[fault]))
        assert answer.status_code == 400
        assert "passwordUnencrypted: " in answer.json()["detail"]
        assert service.request("GET", "/connections").json() == before
