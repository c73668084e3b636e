"""What files want: their sections as items. Every fault of the files is found here, before anything is asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from moorings.client.ascode.faults import FileFault
from moorings.client.ascode.items import Item, Items, Secret, keyed
from moorings.client.ascode.references import is_reference, mapped, resolved
from moorings.client.shapes import Dialect

OWN_KEYS = ("id", "environments", "schedules", "roles", "dbt")
"""The keys of a connection in a file that are no fields of the API."""
ATTRIBUTE = ("label", "description", "type", "multiple_values", "default_value")
WEBHOOK = ("events", "enabled", "secret")
SCHEDULE = ("schedule", "timezone", "hardRefresh")
ENVIRONMENTS = ("attribute", "default", "connections")
ROLES = ("groups", "users")
DBT = (
    *("sshUrl", "branch", "autogenRelationships", "enableVirtualSchemas", "dbtVersion", "enableSemanticLayer"),
    "projectRootPath",
)
DBT_ENVIRONMENT = ("name", "targetSchema", "targetDatabase", "targetName", "targetRole", "variables")
DBT_DEFAULTS = {"autogenRelationships": False, "enableVirtualSchemas": False}


def items(sections: Mapping[str, Mapping[str, Any]], dialects: Iterable[Dialect]) -> Items:
    """The items of all sections. Raises FileFault."""
    known = {dialect["name"]: dialect for dialect in dialects}
    found = [_attribute(name, given) for name, given in sections["attributes"].items()]
    for name, given in sections["connections"].items():
        found += _connection(name, _object(given, f'connections."{name}"'), known)
    found += [_webhook(url, given) for url, given in sections["webhooks"].items()]
    return keyed(found)


def _attribute(name: str, given: Any) -> Item:
    return Item("attribute", name, _plain(_fields(given or {}, ATTRIBUTE, f'attributes."{name}"')))


def _webhook(url: str, given: Any) -> Item:
    where = f'webhooks."{url}"'
    fields = _fields(given or {}, WEBHOOK, where)
    secret = fields.pop("secret", None)
    facts = {} if secret is None else {"secret": _secret(secret, f"{where}.secret").reference}
    return Item("webhook", url, _plain(fields), facts=facts)


def _connection(name: str, given: dict[str, Any], known: Mapping[str, Dialect]) -> Iterator[Item]:
    where = f'connections."{name}"'
    dialect = known.get(given.get("dialect", ""))
    if dialect is None:
        raise FileFault(f"{where}.dialect: {given.get('dialect')!r} is unknown. Use one of {', '.join(known)}")
    names = {each["name"]: each["secret"] for each in dialect["fields"]} | {"dialect": False}
    fields = _fields(given, (*names, *OWN_KEYS), where)
    own = {key: fields.pop(key) for key in OWN_KEYS if key in fields}
    wanted = {
        field: _secret(value, f"{where}.{field}") if names[field] and value is not None else _plain(value)
        for field, value in fields.items()
    }
    yield Item("connection", name, wanted | {"name": name}, id=own.get("id"))
    yield from _environments(name, own.get("environments"), f"{where}.environments")
    yield from _schedules(name, own.get("schedules") or [], f"{where}.schedules")
    yield from _roles(name, own.get("roles"), f"{where}.roles")
    yield from _dbt(name, own.get("dbt"), f"{where}.dbt")


def _environments(base: str, given: Any, where: str) -> Iterator[Item]:
    if given is None:
        return
    fields = _fields(given, ENVIRONMENTS, where)
    if "attribute" in fields:
        wanted = {"attribute": fields["attribute"], "default": _words(fields.get("default"), f"{where}.default")}
        yield Item("routing", base, wanted, owner=base)
    for name, values in _object(fields.get("connections") or {}, f"{where}.connections").items():
        words = {"userAttributeValues": _words(values, f"{where}.connections.{name}")}
        yield Item("environment", f"{base} / {name}", words, owner=base, facts={"base": base, "connection": name})


def _schedules(connection: str, given: Any, where: str) -> Iterator[Item]:
    if not isinstance(given, list):
        raise FileFault(f"{where}: a list is expected")
    for number, each in enumerate(cast("list[Any]", given)):
        fields = {"timezone": "UTC", "hardRefresh": False} | _plain(_fields(each, SCHEDULE, f"{where}[{number}]"))
        if len(str(fields.get("schedule", "")).split()) != 6:
            raise FileFault(
                f"{where}[{number}].schedule: write the six fields of EventBridge cron, such as 0 9 * * ? *. "
                "Other spellings are stored as these, and would differ on each plan"
            )
        name = f"{connection} / {fields['schedule']} {fields['timezone']}"
        yield Item("schedule", name, fields, owner=connection)


def _roles(connection: str, given: Any, where: str) -> Iterator[Item]:
    if given is None:
        return
    for kind, assigned in _fields(given, ROLES, where).items():
        for name, role in _object(assigned, f"{where}.{kind}").items():
            facts = {"kind": kind, "name": name}
            label = f"{connection} / {kind.removesuffix('s')} {name}"
            yield Item("role", label, {"roleName": role}, owner=connection, facts=facts)


def _dbt(connection: str, given: Any, where: str) -> Iterator[Item]:
    if given is None:
        return
    fields = _fields(given, (*DBT, "environments"), where)
    environments: list[Any] = fields.pop("environments", None) or []
    yield Item("dbt", connection, DBT_DEFAULTS | _plain(fields), owner=connection)
    for number, each in enumerate(environments):
        place = f"{where}.environments[{number}]"
        wanted = _fields(each, DBT_ENVIRONMENT, place)
        if "name" not in wanted or "targetSchema" not in wanted:
            raise FileFault(f"{place}: name and targetSchema are required")
        variables = _object(wanted.pop("variables", None) or {}, f"{place}.variables")
        shown = {
            name: Secret(value) if isinstance(value, str) and is_reference(value) else value
            for name, value in variables.items()
        }
        label = f"{connection} / {wanted['name']}"
        yield Item("dbt environment", label, _plain(wanted) | {"variables": shown}, owner=connection)


def _secret(value: Any, where: str) -> Secret:
    if not isinstance(value, str) or not is_reference(value):
        raise FileFault(f"{where}: a secret does not belong in a file. Write ${{env:NAME}} or ${{file:PATH}}")
    return Secret(value)


def _plain(value: Any) -> Any:
    """A value that is no secret, with what its references lead to: a plan shows it."""
    return mapped(value, resolved)


def _object(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise FileFault(f"{where}: a mapping is expected")
    return cast("dict[str, Any]", given)


def _fields(given: Any, known: Iterable[str], where: str) -> dict[str, Any]:
    """A mapping with known keys only."""
    found, names = dict(_object(given, where)), list(known)
    for key in found:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Use one of {', '.join(names)}."
            raise FileFault(f'{where}: "{key}" is unknown. {hint}')
    return found


def _words(given: Any, where: str) -> list[str]:
    """A list of texts; numbers are texts too."""
    values = cast("list[Any]", given) if isinstance(given, list) else [] if given is None else [given]
    if any(isinstance(value, dict | list | bool) or value is None for value in values):
        raise FileFault(f"{where}: a list of texts is expected")
    return [str(_plain(value)) for value in values]
