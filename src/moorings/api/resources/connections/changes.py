"""Reads a PATCH of a connection: settings and credentials, checked as one Config, role and environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moorings.access.policy import ROLE_NAMES
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.connections import service
from moorings.connections.service import Changes, EnvironmentAttribute
from moorings.dialects.config.connection import ConnectionConfig
from moorings.engine.service import Engine, Target
from moorings.errors import EmptyBody, InvalidInput, UnknownKeys

OLD_NAME, OLD_VALUES = "userAttributeNameForConnectionEnvironments", "userAttributeValuesForDefaultEnvironment"
ENVIRONMENT = ("environmentUserAttribute", OLD_NAME, OLD_VALUES)

WORDS = {
    "settings": "settings",
    "credentials": "credentials",
    "role": "default role",
    "environment": "user attribute settings",
}
"""The names of changes in the message, in its order."""


def message(changed: Sequence[str]) -> str:
    """The message that lists the changes."""
    if not changed:
        return "No updates were made to the connection."
    if tuple(changed) == ("environment",):
        return "Updated environment user attribute settings."
    *first, last = (WORDS[each] for each in changed)
    return f"Updated connection {', '.join(first) + ' and ' if first else ''}{last}."


async def read(call: Call) -> Changes:
    """The changes that a body asks for; raises EmptyBody, UnknownKeys, or InvalidInput with every fault."""
    if not call.body:
        raise EmptyBody
    target = await service.opened(call.session, call.services.keyset, call.connection)
    config = type(target.config)
    known = [config.wire_name(field) for field in config.model_fields]
    if unknown := [key for key in call.body if key not in known and key not in ENVIRONMENT]:
        raise UnknownKeys(unknown)
    fields = Fields(call.body, (*known, *ENVIRONMENT))
    role = fields.choice("baseRole", ROLE_NAMES, short=True)
    own = {key: value for key, value in call.body.items() if key in known and key != "baseRole"}
    changed = _config(fields, call.services.engine, target, own) if own else None
    fields.sort(known)
    environment = _environment(fields, call.connection.environment_attribute)
    fields.done()
    sent = {field for field in config.model_fields if config.wire_name(field) in own}
    if changed is not None:  # a new destination removes these fields, and no new value replaces them
        sent |= target.config.secrets().keys() - changed.secrets().keys()
    return Changes(
        base_role=role,
        environment=environment,
        config=changed,
        sent=frozenset(sent),
    )


async def restored(call: Call) -> ConnectionConfig | None:
    """The Config of an archived connection with the credentials of the body; None if the body has none."""
    if not call.body:
        return None
    target = await service.opened(call.session, call.services.keyset, call.connection)
    secrets = [target.config.wire_name(field) for field in target.config.secret_fields()]
    if unknown := [key for key in call.body if key not in secrets]:
        raise UnknownKeys(unknown)
    fields = Fields(call.body, secrets)
    config = _config(fields, call.services.engine, target, call.body)
    fields.done()
    return config


def _config(fields: Fields, engine: Engine, target: Target, own: Mapping[str, Any]) -> ConnectionConfig | None:
    """The Config with new values; adds their faults."""
    if own.get("privateKey") is not None and not target.dialect.abilities.key_pair:
        fields.fault("privateKey", "custom", reason="Only Snowflake connections have a private key")
        own = {key: value for key, value in own.items() if key != "privateKey"}
    if own.get("dialect", target.config.dialect) != target.config.dialect:
        fields.fault("dialect", "custom", reason="A connection keeps its dialect. Create another connection")
        own = {key: value for key, value in own.items() if key != "dialect"}
    try:
        changed = target.config.changed(own, engine.default_ssl_mode)
        if _login(changed) != _login(target.config):  # stored values are checked when they are used
            engine.require_allowed(changed)
    except InvalidInput as refused:
        fields.add(refused.faults)
        return None
    return changed


def _login(config: ConnectionConfig) -> tuple[str | None, Mapping[str, str]]:
    return config.authentication_type, config.secrets()


def _environment(fields: Fields, attribute_now: str | None) -> tuple[EnvironmentAttribute | None] | None:
    if fields.has(OLD_NAME) or fields.has(OLD_VALUES):
        if fields.has("environmentUserAttribute"):
            fields.fault("environmentUserAttribute", "invalid")  # sent twice, in two spellings
        return _environment_in_old_spelling(fields, attribute_now)
    if not fields.has("environmentUserAttribute"):
        return None
    sent = fields.raw("environmentUserAttribute")
    if sent is None:
        return (None,)
    if not isinstance(sent, dict):
        fields.object_expected("environmentUserAttribute")
        return None
    nested = fields.nested("environmentUserAttribute", ("attributeName", "defaultValues"))
    name = nested.string("attributeName", required=True)
    if not nested.has("defaultValues"):
        nested.fault("defaultValues", "required")
    values = nested.array("defaultValues") if nested.raw("defaultValues") is not None else []
    return (EnvironmentAttribute(name, read_values(nested, "defaultValues", values or [])),)


def _environment_in_old_spelling(fields: Fields, attribute_now: str | None) -> tuple[EnvironmentAttribute | None]:
    """The published guide sends the attribute as two flat fields; a field that is not sent stays as it is."""
    name = attribute_now
    if fields.has(OLD_NAME):
        name = None if fields.raw(OLD_NAME) is None else fields.string(OLD_NAME)
    elif name is None:
        fields.fault(OLD_NAME, "required")
    values = read_value_list(fields, OLD_VALUES) if fields.has(OLD_VALUES) else None
    if name is None and values and fields.has(OLD_NAME):
        fields.fault(OLD_VALUES, "invalid")  # values of an attribute that is to be removed
    return (EnvironmentAttribute(name, values) if name is not None else None,)


def read_value_list(fields: Fields, name: str) -> tuple[str, ...]:
    """User attribute values, as `"a,b"` or `["a", "b"]`; null and the empty string are none."""
    sent = fields.raw(name)
    if isinstance(sent, str):
        return read_values(fields, name, [value.strip() for value in sent.split(",")] if sent else [])
    return () if sent is None else read_values(fields, name, fields.array(name) or [])


def read_values(fields: Fields, name: str, values: Sequence[Any]) -> tuple[str, ...]:
    """User attribute values: 1–255 characters, no comma, no duplicate."""
    read: list[str] = []
    for position, value in enumerate(values):
        place = f"{name}.{position}"
        if not fields.fits(place, value):
            continue
        if "," in value or value in read:
            fields.fault(place, "invalid")
        read.append(value)
    return tuple(read)
