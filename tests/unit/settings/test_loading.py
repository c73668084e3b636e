"""Settings that are refused, each by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorings import settings
from moorings.errors import OperatorError


@pytest.mark.parametrize("pause", ["0.01", "0.999", "-1"])
def test_probes_without_a_pause_are_refused(pause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_HEALTH_PROBE_SECONDS", pause)
    with pytest.raises(OperatorError, match="MOORINGS_HEALTH_PROBE_SECONDS: "):
        settings.load()


@pytest.mark.parametrize("pause", ["0", "1", "300"])
def test_no_probes_and_a_pause_of_seconds_are_taken(pause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_HEALTH_PROBE_SECONDS", pause)
    assert settings.load().health_probe_seconds == float(pause)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("MOORINGS_PROT", "1", "MOORINGS_PROT: there is no such setting. Did you mean MOORINGS_PORT?"),
            (
                "moorings_databse_url",
                "1",
                "MOORINGS_DATABSE_URL: there is no such setting. Did you mean MOORINGS_DATABASE",
            ),
            ("MOORINGS_", "1", "MOORINGS_: there is no such setting."),
            ("MOORINGS_PROT", "", "MOORINGS_PROT"),
            ("MOORINGS_SERVICE", "x", "MOORINGS_SERVICE"),
            ("MOORINGS_PORT_NUMBER", "1", "Did you mean"),
            ("MOORINGS_XYZZY", "s3cret", "MOORINGS_XYZZY: there is no such setting."),
        ],
    )
    def test_unknown_ones_are_refused_with_the_nearest(
        self, name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(name, value)
        with pytest.raises(OperatorError) as refused:
            settings.load()
        assert said in refused.value.message
        assert "s3cret" not in refused.value.message
        monkeypatch.delenv(name)
        (tmp_path / ".env").write_text(f"{name}={value}\n")
        with pytest.raises(OperatorError) as refused:
            settings.load()
        assert said in refused.value.message
        assert "(in .env)" in refused.value.message

    def test_a_misspelled_prefix_in_a_file_is_refused_and_entries_of_others_are_not(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text("POSTGRES_PASSWORD=x\nPORT=1\nMOORINGS_PORT=8123\n")
        assert settings.load().port == 8123
        (tmp_path / ".env").write_text("MORINGS_PORT=8123\n")
        with pytest.raises(OperatorError, match=r"MORINGS_PORT: .* Did you mean MOORINGS_PORT"):
            settings.load()

    def test_what_kubernetes_tests_and_clients_set_is_ignored(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "MOORINGS_SERVICE_HOST": "10.0.0.1",
            "MOORINGS_SERVICE_PORT": "8000",
            "MOORINGS_SERVICE_PORT_HTTP": "8000",
            "MOORINGS_PORT": "tcp://10.0.0.1:8000",
            "MOORINGS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "MOORINGS_PORT_8000_TCP_PROTO": "tcp",
            "MOORINGS_PORT_8000_TCP_PORT": "8000",
            "MOORINGS_PORT_8000_TCP_ADDR": "10.0.0.1",
            "MOORINGS_FLIGHT_SERVICE_HOST": "10.0.0.2",
            "MOORINGS_FLIGHT_PORT": "tcp://10.0.0.2:8815",
            "MOORINGS_TEST_ANYTHING": "1",
            "MOORINGS_URL": "https://moorings.example.org",
            "MOORINGS_KEY": "moo_osk_key-of-a-client",
            "MOORINGS_PROFILE": "prod",
        }.items():
            monkeypatch.setenv(name, value)
        assert settings.load().port == 8000

    def test_a_file_that_is_no_text_is_one_line(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_bytes(b"MOORINGS_PORT=\xff\xfe")
        with pytest.raises(OperatorError, match=r"cannot read \.env: it is not UTF-8"):
            settings.load()
