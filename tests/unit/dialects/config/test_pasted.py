"""What people paste into fields: keys, certificates, tokens, masks, lists of names."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from moorings import dialects
from moorings.dialects.config import keys
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.introspection import Scope
from moorings.dialects.ssl_modes import mode_in_force
from moorings.errors import InvalidInput
from tests.certificates import authority, issued
from tests.conformance.test_create import ACCOUNT, BARE, KEY, PEM, SHORT_PEM, VALID, pem

CA, OTHER = authority(), authority("Another")
CLIENT = issued(CA, "client")
PASSPHRASE = "open sesame"
ENCRYPTED = pem(KEY, secret=PASSPHRASE.encode())
ENCRYPTED_OLD = pem(KEY, "TraditionalOpenSSL", PASSPHRASE.encode())
PUBLIC = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
BOM = "\ufeff"


def escaped(text: str, line: str = "\\n") -> str:
    return text.replace("\n", line)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "byte order mark": lambda text: BOM + text,
    "blanks around": lambda text: f"\n\t {text}\u00a0\n",
    "indented": lambda text: text.replace("\n", "\n    "),
    "on one line": lambda text: text.replace("\n", " "),
    "escaped": escaped,
    "escaped CRLF": lambda text: escaped(text, "\\r\\n"),
    "double-escaped": lambda text: escaped(text, "\\\\n"),
    "escaped three times": lambda text: escaped(text, "\\\\\\\\n"),
    "quoted": lambda text: f'"{text}"',
    "quoted and escaped": json.dumps,
    "in single quotes": lambda text: f"'{text}'",
    "text before": lambda text: f"# Schlüssel für die Prüfung – données\n{text}",
    "bag attributes": lambda text: f"Bag Attributes\n    localKeyID: 01 00\nKey Attributes: <No Attributes>\n{text}",
    "text behind": lambda text: f"{text}\n-- end of file --\n",
    "base64 of the PEM": lambda text: base64.b64encode(text.encode()).decode(),
    "wrapped base64 of the PEM": lambda text: base64.encodebytes(text.encode()).decode(),
}


def read(dialect: str, **changes: Any) -> ConnectionConfig:
    body = {"dialect": dialect, **VALID[dialect]} | changes
    return dialects.read({key: value for key, value in body.items() if value is not None})


def faults(dialect: str, **changes: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read(dialect, **changes)
    return {fault.field: fault.details.get("reason", fault.code) for fault in refused.value.faults}


class TestPrivateKeys:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("kind", ["PKCS8", "TraditionalOpenSSL"])
    def test_every_form_is_the_same_key(self, form: str, kind: str) -> None:
        config = read("snowflake", privateKey=FORMS[form](pem(KEY, kind)), passwordUnencrypted=None)
        assert config.secrets()["private_key"] == PEM
        assert config.authentication_type == "snowflake-keypair"

    @pytest.mark.parametrize(
        "text", [BARE, PEM + PUBLIC, PUBLIC + PEM, CLIENT.pem + PEM, base64.b64encode(pem(KEY).encode()).decode()]
    )
    def test_what_stands_beside_the_key_is_left_out(self, text: str) -> None:
        assert read("snowflake", privateKey=text, passwordUnencrypted=None).secrets()["private_key"] == PEM

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("text", [ENCRYPTED, ENCRYPTED_OLD])
    def test_a_passphrase_opens_an_encrypted_key(self, form: str, text: str) -> None:
        if text is ENCRYPTED_OLD and form in ("on one line", "base64 of the PEM"):
            pytest.skip("never: the headers of the old encryption need their lines")
        config: Any = read(
            "snowflake", privateKey=FORMS[form](text), privateKeyPassphrase=PASSPHRASE, passwordUnencrypted=None
        )
        assert config.opened_key == PEM
        assert "ENCRYPTED" in config.secrets()["private_key"]

    def test_an_encrypted_key_without_its_begin_line(self) -> None:
        bare = "".join(ENCRYPTED.splitlines()[1:-1])
        config: Any = read("snowflake", privateKey=bare, privateKeyPassphrase=PASSPHRASE)
        assert config.opened_key == PEM

    def test_a_passphrase_that_is_not_needed_does_no_harm(self) -> None:
        config: Any = read("snowflake", privateKey=PEM, privateKeyPassphrase=PASSPHRASE)
        assert config.opened_key == PEM

    @pytest.mark.parametrize(
        ("changes", "field", "reason"),
        [
            ({"privateKey": ENCRYPTED}, "privateKey", keys.ENCRYPTED),
            ({"privateKey": ENCRYPTED_OLD}, "privateKey", keys.ENCRYPTED),
            ({"privateKey": ENCRYPTED, "privateKeyPassphrase": "no"}, "privateKeyPassphrase", keys.NOT_OPENED),
            ({"privateKey": ENCRYPTED_OLD, "privateKeyPassphrase": "no"}, "privateKeyPassphrase", keys.NOT_OPENED),
            ({"privateKey": pem(ec.generate_private_key(ec.SECP256R1()))}, "privateKey", keys.NOT_RSA),
            ({"privateKey": SHORT_PEM}, "privateKey", keys.NOT_RSA),
            ({"privateKey": PEM[:300]}, "privateKey", keys.DAMAGED),
            ({"privateKey": PEM[:300] + PEM[310:]}, "privateKey", keys.DAMAGED),
            ({"privateKey": PUBLIC}, "privateKey", keys.PUBLIC),
            ({"privateKey": CLIENT.pem}, "privateKey", keys.PUBLIC),
            ({"privateKey": PEM + PEM}, "privateKey", keys.SEVERAL),
            ({"privateKey": "nonsense"}, "privateKey", keys.NO_KEY),
            (
                {"privateKey": PEM.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY")},
                "privateKey",
                keys.OPENSSH,
            ),
        ],
    )
    def test_each_fault_says_what_to_do(self, changes: dict[str, str], field: str, reason: str) -> None:
        assert faults("snowflake", **changes) == {field: reason}

    @pytest.mark.parametrize("iterations", [3_000_000, 2**31 - 1, 2**62])
    def test_the_rounds_of_a_strangers_encryption_are_bounded(self, iterations: int) -> None:
        made = encrypted_with(iterations)
        assert faults("snowflake", privateKey=made, privateKeyPassphrase="x") == {"privateKey": keys.TOO_COSTLY}


def encrypted_with(iterations: int) -> str:
    """A PKCS #8 key whose PBKDF2 asks for so many rounds."""

    def tlv(tag: int, *parts: bytes) -> bytes:
        value = b"".join(parts)
        size = bytes([len(value)]) if len(value) < 128 else b"\x81" + bytes([len(value)])
        return bytes([tag]) + size + value

    number = iterations.to_bytes((iterations.bit_length() + 8) // 8, "big")
    derivation = tlv(
        0x30,
        tlv(0x06, bytes.fromhex("2a864886f70d01050c")),
        tlv(0x30, tlv(0x04, b"saltsalt"), tlv(0x02, number)),
    )
    cipher = tlv(0x30, tlv(0x06, bytes.fromhex("60864801650304012a")), tlv(0x04, bytes(16)))
    scheme = tlv(0x30, tlv(0x06, bytes.fromhex("2a864886f70d01050d")), tlv(0x30, derivation, cipher))
    body = base64.encodebytes(tlv(0x30, scheme, tlv(0x04, bytes(64)))).decode()
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}-----END ENCRYPTED PRIVATE KEY-----\n"


TLS_DIALECTS = ("postgres", "mariadb", "clickhouse", "trino", "snowflake", "exasol")


class TestCertificates:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("field", ["ssl_root_cert", "ssl_client_cert"])
    def test_every_form_reaches_the_driver_as_it_should(self, form: str, field: str) -> None:
        text = FORMS[form](CA.pem if field == "ssl_root_cert" else CLIENT.pem)
        config: Any = read("postgres", sslRootCert=text) if field == "ssl_root_cert" else client(sslClientCert=text)
        assert getattr(config, field) == text  # what was written is what is read back
        dialled = getattr(config.dialable(), field)
        assert dialled == (CA.pem if field == "ssl_root_cert" else CLIENT.pem)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=dialled)

    @pytest.mark.parametrize("dialect", TLS_DIALECTS)
    @pytest.mark.parametrize(
        "text",
        [
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nnonsense inside!\n-----END CERTIFICATE-----",
            f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'not DER at all').decode()}\n-----END CERTIFICATE-----",
            CA.pem[:300],
            CA.pem.replace("-----END", ""),
            CA.pem + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            PUBLIC,
        ],
    )
    def test_nonsense_is_refused_when_it_is_written(self, dialect: str, text: str) -> None:
        assert set(faults(dialect, sslRootCert=text)) == {"sslRootCert"}

    @pytest.mark.parametrize("field", ["sslRootCert", "sslClientCert"])
    def test_a_private_key_among_certificates_is_refused_since_they_are_shown(self, field: str) -> None:
        found = faults("postgres", **{field: CLIENT.pem + CLIENT.key, "sslClientKey": CLIENT.key})
        assert "private key" in found[field]

    def test_several_certificates_and_one_of_them_twice(self) -> None:
        config: Any = read("postgres", sslRootCert=f"first\n{CA.pem}second\n{OTHER.pem}again\n{CA.pem}")
        assert config.dialable().ssl_root_cert == CA.pem + OTHER.pem + CA.pem

    @pytest.mark.parametrize("mode", [None, "prefer", "require", "verify-ca", "verify-full"])
    def test_an_authority_of_ones_own_is_verified_in_every_mode(self, mode: Any) -> None:
        assert mode_in_force(read("postgres", sslRootCert=CA.pem, sslMode=mode)).startswith("verify")


def client(**changes: Any) -> ConnectionConfig:
    return read("postgres", **{"sslClientCert": CLIENT.pem, "sslClientKey": CLIENT.key} | changes)


class TestClientCertificates:
    @pytest.mark.parametrize("dialect", dialects.names())
    def test_every_dialect_stores_them(self, dialect: str) -> None:
        config = read(dialect, sslClientCert=CLIENT.pem, sslClientKey=CLIENT.key)
        assert config.secrets()["ssl_client_key"] == CLIENT.key

    @pytest.mark.parametrize("form", FORMS)
    def test_the_key_in_every_form(self, form: str) -> None:
        assert client(sslClientKey=FORMS[form](CLIENT.key)).secrets()["ssl_client_key"] == CLIENT.key

    def test_the_key_under_a_passphrase(self) -> None:
        encrypted = CLIENT.encrypted(PASSPHRASE)
        assert client(sslClientKey=encrypted, privateKeyPassphrase=PASSPHRASE).secrets()["private_key_passphrase"]
        found = faults("postgres", sslClientCert=CLIENT.pem, sslClientKey=encrypted)
        assert found == {"sslClientKey": keys.ENCRYPTED}

    def test_one_without_the_other(self) -> None:
        assert faults("postgres", sslClientCert=CLIENT.pem) == {"sslClientKey": "Required with sslClientCert"}
        assert faults("postgres", sslClientKey=CLIENT.key) == {"sslClientCert": "Required with sslClientKey"}

    def test_a_key_of_another_certificate(self) -> None:
        assert "does not belong" in faults("postgres", sslClientCert=CLIENT.pem, sslClientKey=OTHER.key)["sslClientKey"]


class TestServiceAccounts:
    KEY = json.dumps(ACCOUNT)

    @pytest.mark.parametrize(
        "key",
        [
            BOM + KEY,
            f" \n{KEY}\n",
            ACCOUNT,
            base64.b64encode(KEY.encode()).decode(),
            base64.b64encode((BOM + KEY).encode()).decode(),
            json.dumps(ACCOUNT, indent=2).replace("\n", "\r\n"),
        ],
    )
    def test_every_form(self, key: Any) -> None:
        config = read("bigquery", passwordUnencrypted=key).completed()
        assert json.loads(config.secrets()["password"]) == ACCOUNT
        assert (config.database, config.username) == ("proj", ACCOUNT["client_email"])

    def test_an_object_is_no_password_elsewhere(self) -> None:
        assert faults("postgres", passwordUnencrypted=ACCOUNT) == {"passwordUnencrypted": "type"}

    def test_an_object_that_lacks_something(self) -> None:
        assert "lacks" in faults("bigquery", passwordUnencrypted={"type": "service_account"})["passwordUnencrypted"]


class TestTokens:
    @pytest.mark.parametrize("dialect", ["databricks", "motherduck"])
    @pytest.mark.parametrize("token", ["token\n", "token\r\n", f"{BOM}token", " token\t"])
    def test_blanks_around_a_token_go(self, dialect: str, token: str) -> None:
        assert read(dialect, passwordUnencrypted=token).secrets()["password"] == "token"

    def test_blanks_around_a_password_are_its_own(self) -> None:
        assert read("postgres", passwordUnencrypted=" p ").secrets()["password"] == " p "


class TestMasks:
    @pytest.mark.parametrize(
        "mask",
        [
            *("XXXXXXXXXX", "xxxxxxxxxx", "**MetabasePass**", "--------", "********", "••••••••", "●●●●", " *** "),
            *("[REDACTED]", "<redacted>", "REDACTED", "(sensitive value)", "[FILTERED]", "<hidden>", "__REDACTED__"),
        ],
    )
    @pytest.mark.parametrize("field", ["passwordUnencrypted", "privateKeyPassphrase", "oauthClientSecretUnencrypted"])
    def test_masks_are_no_secrets(self, mask: str, field: str) -> None:
        assert "mask" in faults("postgres", **{field: mask})[field]

    @pytest.mark.parametrize("password", ["Xx", "XXX", "secret", "a********", "**a b**", "hidden", "---", "x" * 7])
    def test_what_a_person_may_have_chosen_is_taken(self, password: str) -> None:
        assert read("postgres", passwordUnencrypted=password).secrets()["password"] == password


class TestNames:
    @pytest.mark.parametrize("name", [" ", "\t\n", "\u00a0", "\u200b", "\ufeff", "\u3000\u2003"])
    def test_a_name_of_blanks_is_none(self, name: str) -> None:
        assert faults("postgres", name=name) == {"name": "too_short"}

    def test_blanks_around_a_name_stay(self) -> None:
        assert read("postgres", name=" n ").name == " n "

    @pytest.mark.parametrize(
        ("listed", "names"),
        [
            ('"a,b"', ("a,b",)),
            ('x, "a,b" ,y', ("x", "a,b", "y")),
            ('"a""b",c', ('a"b', "c")),
            ('" a "', (" a ",)),
            ('a"b', ('a"b',)),
            ('"a', ('"a',)),
            ('"a"b', ('"a"b',)),
            (" , a,,", ("a",)),
            ('""', ()),
        ],
    )
    def test_a_quoted_name_may_hold_a_comma(self, listed: str, names: tuple[str, ...]) -> None:
        assert Scope.of(read("postgres", includeSchemas=listed)).schemas == names
        assert Scope.of(read("postgres", includeOtherCatalogs=listed)).catalogs == names
        assert read("postgres", offloadedSchemas=listed).offloaded_schemas == names


class TestChanges:
    def test_a_key_replaces_the_password_and_the_password_the_key(self) -> None:
        config = read("snowflake")
        keyed = config.changed({"privateKey": PEM})
        assert (keyed.authentication_type, set(keyed.secrets())) == ("snowflake-keypair", {"private_key"})
        back = keyed.changed({"passwordUnencrypted": "new"})
        assert (back.authentication_type, back.secrets()) == ("snowflake-password", {"password": "new"})

    def test_a_chosen_way_to_log_in_stays(self) -> None:
        config = read("snowflake").changed({"privateKey": PEM, "authenticationType": "snowflake-password"})
        assert config.authentication_type == "snowflake-password"

    def test_taking_the_key_away_needs_the_password(self) -> None:
        keyed = read("snowflake", privateKey=PEM, passwordUnencrypted=None)
        with pytest.raises(InvalidInput):
            keyed.changed({"privateKey": None})
        assert keyed.changed({"privateKey": None, "passwordUnencrypted": "p"}).secrets() == {"password": "p"}

    def test_a_machine_and_back(self) -> None:
        machine = read("databricks").changed({"useMachineAuth": True, "username": "client"})
        assert machine.authentication_type == "databricks-oauth-m2m"
        assert machine.secrets() == read("databricks").secrets()
        token = machine.changed({"useMachineAuth": False})
        assert token.authentication_type == "databricks-personal-access-token"

    def test_a_secret_of_the_same_login_changes_no_login(self) -> None:
        federated = read("bigquery", wifAudience="//iam", passwordUnencrypted="{}")
        assert federated.changed({"passwordUnencrypted": "{ }"}).authentication_type == federated.authentication_type

    @pytest.mark.parametrize(("dialect", "plain", "secure"), [("trino", 8080, 443), ("clickhouse", 8123, 8443)])
    def test_a_port_that_nobody_named_follows_the_tls_mode(self, dialect: str, plain: int, secure: int) -> None:
        sent = {"passwordUnencrypted": "p"}
        without = read(dialect).changed({"sslMode": "disable"} | sent)
        assert without.port == plain
        assert without.changed({"sslMode": "verify-full"} | sent).port == secure
        named = read(dialect, port=9999).changed({"sslMode": "disable"} | sent)
        assert named.port == 9999
