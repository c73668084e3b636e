"""The fields of a connection: from options, files and answers, by what the service says of a dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moorings.client.cli import terminal
from moorings.client.cli.exits import UsageError
from moorings.client.cli.locations import truth

if TYPE_CHECKING:
    from moorings.client.shapes import Dialect, Field

MULTILINE = frozenset({"privateKey", "sslRootCert", "sslClientCert", "sslClientKey"})
"""Fields in PEM, which nobody types."""


def by_name(dialect: Dialect) -> dict[str, Field]:
    """The fields of a dialect."""
    return {each["name"]: each for each in dialect["fields"]}


def login_method(dialect: Dialect, fields: Mapping[str, Any]) -> str | None:
    """The authenticationType in force: the one given, inferred as the service does, or the default."""
    methods = dialect["authenticationTypes"]
    if fields.get("authenticationType"):
        return str(fields["authenticationType"])
    for field, ending in INFERRED.items():
        if fields.get(field):
            return next((each["name"] for each in methods if each["name"].endswith(ending)), None)
    return next((each["name"] for each in methods if each["default"]), None)


INFERRED = {
    "privateKey": "-keypair",
    "wifAudience": "-workload-identity-federation",
    "useMachineAuth": "-oauth-m2m",
    "awsRoleArn": "-cross-account-role",
}
"""The field that tells a login method, and the end of the method's name."""


def required(dialect: Dialect, fields: Mapping[str, Any]) -> list[str]:
    """The fields that the dialect needs with this login."""
    method = login_method(dialect, fields)
    return [each["name"] for each in dialect["fields"] if _is_required(each["required"] or "", method, fields)]


def _is_required(condition: str, method: str | None, fields: Mapping[str, Any]) -> bool:
    """Whether a condition in the API's words holds: `always`, `unless x is given`, `when authenticationType is …`."""
    if condition.startswith("unless "):
        return not fields.get(condition.split()[1])
    return condition.startswith("always") or (method is not None and f"`{method}`" in condition)


def assigned(dialect: Dialect, settings: Iterable[str], *, files: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of `--set FIELD=VALUE` and `--file FIELD=PATH`."""
    known = by_name(dialect)
    found: dict[str, Any] = {}
    for each in settings:
        name, text = _pair(each, "--set", known)
        if known[name]["secret"]:
            raise UsageError(
                f"{name} is a secret, and other users of this machine can see arguments",
                f"Put it into a file, or pipe it: --file {name}=- reads stdin.",
            )
        found[name] = converted(known[name], text)
    for each in files:
        name, path = _pair(each, "--file", known)
        found[name] = converted(known[name], terminal.from_file(path))
    return found


def _pair(text: str, option: str, known: Mapping[str, Any]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{option} takes FIELD=VALUE", f"For example {option} host=db.example.com.")
    if name not in known:
        raise UsageError(f"{option}: no field is named {name}", f"Fields: {', '.join(known)}.")
    return name, value


def converted(field: Field, text: str) -> Any:
    """The value of a field from its text."""
    if text == "null":
        return None
    if field["kind"] == "boolean":
        flag = truth(text)
        if flag is None:
            raise UsageError(f"{field['name']} takes true or false")
        return flag
    if field["kind"] == "number":
        if not text.strip().isdigit():
            raise UsageError(f"{field['name']} takes a number")
        return int(text)
    return text


def missing(dialect: Dialect, fields: Mapping[str, Any]) -> list[str]:
    """The required fields that have no value."""
    return [name for name in required(dialect, fields) if fields.get(name) in (None, "")]


def refuse_missing(dialect: Dialect, fields: Mapping[str, Any]) -> None:
    """Where nobody can be asked, say which fields lack a value."""
    known = by_name(dialect)
    names = missing(dialect, fields)
    if names:
        options = [f"--file {name}=FILE" if known[name]["secret"] else f"--set {name}=…" for name in names]
        raise UsageError(f"{dialect['title']} needs {', '.join(names)}", f"Add {' '.join(options)}.")


def ask_missing(dialect: Dialect, fields: dict[str, Any]) -> None:
    """Ask for the login method, then for what is required, then for a port that differs from the default."""
    methods = dialect["authenticationTypes"]
    if len(methods) > 1 and login_method(dialect, fields) == login_method(dialect, {}):
        names = [each["name"] for each in methods]
        default = login_method(dialect, fields)
        chosen = choice("authenticationType", names, default)
        if chosen != default or "authenticationType" in fields:
            fields["authenticationType"] = chosen
    asked = [name for name in missing(dialect, fields) if name not in ("dialect", "name")]
    if "host" in asked and dialect["defaultPort"] is not None and "port" not in fields:
        asked.insert(asked.index("host") + 1, "port")
    for name in _secrets_last(dialect, asked):
        ask(dialect, name, fields)
    if not fields.get("name"):
        fields["name"] = terminal.question("name", str(fields.get("database") or dialect["title"]))


def _secrets_last(dialect: Dialect, names: Sequence[str]) -> list[str]:
    known = by_name(dialect)
    return sorted(names, key=lambda name: known[name]["secret"])


def ask(dialect: Dialect, name: str, fields: dict[str, Any]) -> None:
    """Ask for one field until its value can be read; Enter keeps the value that it has."""
    field = by_name(dialect)[name]
    while True:
        try:
            value = _answer(dialect, field, fields.get(name))
        except UsageError as wrong:
            terminal.note(wrong.message)
            continue
        if value not in (None, ""):
            fields[name] = value
            return
        if name in fields or name == "port":
            return
        terminal.note(field["description"])


def _answer(dialect: Dialect, field: Field, now: Any) -> Any:
    name = field["name"]
    if name == "acceptsLicense":
        return terminal.agreed("Do you accept the licence of the driver?") or None
    if name in MULTILINE or (name == "passwordUnencrypted" and dialect["name"] == "bigquery"):
        path = terminal.question(f"{name} (path of its file)")
        return terminal.from_file(path) if path else None
    if field["secret"]:
        return terminal.hidden(name)
    if field["allowed"]:
        return choice(name, field["allowed"], now or field["default"])
    default = now if now is not None else dialect["defaultPort"] if name == "port" else None
    text = terminal.question(name, None if default is None else str(default))
    return converted(field, text) if text else None


def choice(name: str, options: Sequence[str], default: str | None) -> str:
    """One of a few, by its name or number."""
    for number, option in enumerate(options, 1):
        terminal.note(f"  {number}  {option}")
    while True:
        answer = terminal.question(name, default)
        if answer.isdigit() and 0 < int(answer) <= len(options):
            return options[int(answer) - 1]
        if answer in options:
            return answer
        close = [option for option in options if option.startswith(answer)] if answer else []
        if len(close) == 1:
            return close[0]
        terminal.note(f"Use one of {', '.join(options)}, or its number.")


def read_files(files: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """The values of fields that a URI or a profile names by their files."""
    return {name: terminal.from_file(str((folder or Path()) / Path(path).expanduser())) for name, path in files.items()}
