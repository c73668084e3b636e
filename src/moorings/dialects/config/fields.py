"""The kinds of values that fields of a dialect's Config take, each with its check.

A check raises PydanticCustomError whose type is the code of an `errors.Fault`. No check quotes what it was given.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import zoneinfo
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

ROLE_ALIASES = {"QUERY_TOPICS": "RESTRICTED_QUERIER"}
"""Older names of roles: accepted, and stored under the new name."""

UNWHOLESOME = re.compile("[\0\ud800-\udfff]")
"""What no string may hold: databases refuse NUL, and a lone surrogate has no UTF-8."""


LONGEST_KEY = 20_000
"""Characters of a private key: 16384 bits fit, and nobody keeps the processor busy with a million."""

NO_ZONES = {"Factory", "localtime", "posixrules"}
"""Files beside those of the zones: what a machine's own zone is, or that it was never set."""

JSON_TYPES: dict[type[Any], str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    tuple: "array",
}
"""Python's types → JSON's; bool comes first, being an int."""


def invalid() -> PydanticCustomError:
    """The fault that no other sentence fits."""
    return PydanticCustomError("invalid", "Invalid input")


def custom_error(reason: str) -> PydanticCustomError:
    """A fault in words of its own."""
    return PydanticCustomError("custom", "{reason}", {"reason": reason})


def _whole(value: object) -> object:
    """5432.0 is an integer in JSON; 5432.5 is a number, but none."""
    if not isinstance(value, float):
        return value
    if not value.is_integer():
        raise PydanticCustomError("not_integer", "Not an integer")
    return int(value)


def _listed(value: object) -> object:
    """A comma list becomes the array that it stands for."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, (list, tuple)):
        raise PydanticCustomError("string_type", "Not a string")
    return tuple(part for part in cast("list[object]", value) if part != "")


@functools.cache
def zones() -> frozenset[str]:
    """Every name of the tz database, such as `America/New_York`."""
    return frozenset(zoneinfo.available_timezones() - NO_ZONES)


def _zone(value: str) -> str:
    if value not in zones():
        raise invalid()
    return value


def _zone_or_none(value: str) -> str:
    return value if value == "NONE" else _zone(value)


def _decimal(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,19}", value, re.ASCII):
        raise invalid()
    return value


def _certificates(value: str) -> str:
    if "-----BEGIN CERTIFICATE-----" not in value:
        raise invalid()
    return value


def _rsa_key(value: SecretStr) -> SecretStr:
    """The key as PKCS #8 PEM, whatever form it came in; RSA of 2048 bits or more, without a passphrase."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if len(value.get_secret_value()) > LONGEST_KEY:
        raise invalid()
    try:
        key = serialization.load_der_private_key(_der(value.get_secret_value()), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise invalid() from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise invalid()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SecretStr(pem.decode())


def _der(pem: str) -> bytes:
    r"""What is between a PEM's headers; without them, all of it. Line breaks may have become `\n` on the way."""
    body = re.sub(r"-----(BEGIN|END) (RSA )?PRIVATE KEY-----", "", pem.replace("\\n", "\n"))
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error:
        raise invalid() from None


def _role(value: object) -> object:
    return ROLE_ALIASES.get(value, value) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=255)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_whole)]
Seconds = Annotated[int, Field(ge=1, le=3600), BeforeValidator(_whole)]
Role = Annotated[
    Literal["NO_ACCESS", "VIEWER", "RESTRICTED_QUERIER", "QUERIER", "MODELER", "CONNECTION_ADMIN"],
    BeforeValidator(_role),
]
"""From low to high, in the order in which messages list them."""
Zone = Annotated[str, AfterValidator(_zone)]
ZoneOrNone = Annotated[str, AfterValidator(_zone_or_none)]
Decimal = Annotated[str, AfterValidator(_decimal), Field(json_schema_extra={"pattern": "^[0-9]{1,19}$"})]
Certificates = Annotated[str, AfterValidator(_certificates)]
RsaKey = Annotated[SecretStr, AfterValidator(_rsa_key)]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""A comma list or an array; kept as a tuple."""
SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Unmatched = Literal["base", "deny"]


def json_type(value: Any) -> str:
    """What JSON calls a decoded value's type."""
    for kind, word in JSON_TYPES.items():
        if isinstance(value, kind):
            return word
    return "null" if value is None else "object"
