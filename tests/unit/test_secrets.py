"""Sealing: a ciphertext opens at its own place only, and nothing shows what it holds."""

from __future__ import annotations

import os
import stat

import pytest

from moorings.db import SealedBytes
from moorings.errors import OperatorError
from moorings.secrets import Keyset, Sealed

PASSWORD = "s3nt!nel/p@ss w+rd"
PLACE = {"table": "connection_secrets", "column": "sealed", "row": "1"}


@pytest.fixture
def keyset(tmp_path) -> Keyset:
    return Keyset.make(tmp_path / "keyset.json")


class TestSeal:
    @pytest.mark.parametrize("value", [PASSWORD, "", "ü😀", "x" * 100_000])
    def test_opens_at_its_place(self, keyset, value):
        assert keyset.open(keyset.seal(value, **PLACE), **PLACE) == value

    @pytest.mark.parametrize("moved", [{"row": "2"}, {"column": "other"}, {"table": "other"}])
    def test_opens_nowhere_else(self, keyset, moved):
        sealed = keyset.seal(PASSWORD, **PLACE)
        with pytest.raises(OperatorError) as refused:
            keyset.open(sealed, **(PLACE | moved))
        assert PASSWORD not in repr(refused.value)

    def test_a_changed_byte_does_not_open(self, keyset):
        sealed = keyset.seal(PASSWORD, **PLACE).ciphertext
        for position in range(len(sealed)):
            changed = bytearray(sealed)
            changed[position] ^= 1
            with pytest.raises(OperatorError):
                keyset.open(Sealed(bytes(changed)), **PLACE)

    def test_another_keyset_does_not_open(self, keyset, tmp_path):
        with pytest.raises(OperatorError):
            Keyset.make(tmp_path / "other.json").open(keyset.seal(PASSWORD, **PLACE), **PLACE)

    def test_the_same_value_never_looks_the_same(self, keyset):
        assert len({keyset.seal(PASSWORD, **PLACE).ciphertext for _ in range(100)}) == 100

    def test_shows_nothing(self, keyset):
        sealed = keyset.seal(PASSWORD, **PLACE)
        assert (repr(sealed), str(sealed), f"{sealed}") == ("***", "***", "***")
        assert PASSWORD.encode() not in sealed.ciphertext


class TestSealedColumn:
    @pytest.mark.parametrize("value", [PASSWORD, PASSWORD.encode(), 5])
    def test_takes_only_what_is_sealed(self, value):
        with pytest.raises(TypeError, match="only sealed values") as refused:
            SealedBytes().process_bind_param(value, None)
        assert PASSWORD not in str(refused.value)


class TestKeyset:
    def test_is_for_its_owner_alone(self, keyset, tmp_path):
        assert stat.S_IMODE((tmp_path / "keyset.json").stat().st_mode) == 0o600
        assert [file.name for file in tmp_path.iterdir()] == ["keyset.json"]

    def test_one_that_is_there_is_kept(self, keyset, tmp_path):
        written = (tmp_path / "keyset.json").read_text()
        assert Keyset.make(tmp_path / "keyset.json").primary_key_id == keyset.primary_key_id
        assert (tmp_path / "keyset.json").read_text() == written

    def test_read_again_it_opens_what_it_sealed(self, keyset, tmp_path):
        again = Keyset.read(tmp_path / "keyset.json")
        assert again.open(keyset.seal(PASSWORD, **PLACE), **PLACE) == PASSWORD

    @pytest.mark.parametrize("content", [b"", b"{}", b"no keyset", b'{"primaryKeyId": 1, "key": []}', b"\xff\xfe"])
    def test_another_file_is_refused_in_one_line_without_its_content(self, tmp_path, content):
        (tmp_path / "keyset.json").write_bytes(content)
        with pytest.raises(OperatorError, match="is not a Tink keyset") as refused:
            Keyset.read(tmp_path / "keyset.json")
        assert "\n" not in refused.value.message

    def test_one_that_is_missing_is_named(self, tmp_path):
        with pytest.raises(OperatorError, match="cannot read the keyset"):
            Keyset.read(tmp_path / "keyset.json")

    def test_one_that_cannot_be_written_is_named(self, tmp_path):
        with pytest.raises(OperatorError, match="cannot write the keyset"):
            Keyset.make(tmp_path / "no folder" / "keyset.json")

    def test_what_a_killed_process_left_is_no_hindrance(self, tmp_path):
        (tmp_path / f".keyset.json.{os.getpid()}").touch()
        assert Keyset.make(tmp_path / "keyset.json").primary_key_id

    def test_shows_its_id_alone(self, keyset):
        assert repr(keyset) == f"Keyset({keyset.primary_key_id})"
