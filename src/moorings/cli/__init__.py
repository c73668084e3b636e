"""The command line. Commands are declared here; what they do is imported when they run, so that each starts quickly."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from moorings import settings
from moorings.errors import MooringsError


class ErrorReportingGroup(TyperGroup):
    """Says what Moorings refuses in one line on stderr, exit code 1; never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MooringsError as refused:
            from moorings.cli.refusals import say

            say(refused.message)
            raise typer.Exit(1) from None


def _group(explanation: str) -> typer.Typer:
    return typer.Typer(
        cls=ErrorReportingGroup,
        help=explanation,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


app = _group("Moorings: one home for your warehouses' credentials, and SQL through it.")
token_app = _group("Keys: organization keys and personal access tokens.")
user_app = _group("Manage users, which personal access tokens act as.")
group_app = _group("Groups: users who share roles on connections.")
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
app.add_typer(group_app, name="group")


def _use_data_dir(path: Path | None) -> Path | None:
    if path is not None:
        settings.receive({"data_dir": str(path)})
    return path


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", metavar="PATH", callback=_use_data_dir, help="The data directory, in place of MOORINGS_DATA_DIR."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UserName = Annotated[str, typer.Argument(metavar="USER", help="Email or id of a user.")]
UserNames = Annotated[list[str], typer.Argument(metavar="USER…", help="Emails or ids of users.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Name or id of a group.")]
ConnectionId = Annotated[str, typer.Argument(metavar="CONNECTION", help="Id of the connection.")]
RoleName = Annotated[
    str, typer.Argument(help="NO_ACCESS, VIEWER, RESTRICTED_QUERIER, QUERIER, MODELER or CONNECTION_ADMIN.")
]


@app.command()
def serve(
    take_terminal: Annotated[bool, typer.Option("--take-terminal", hidden=True)] = False, data_dir: DataDir = None
) -> None:
    """Start the service; at the first start, make what it needs."""
    from moorings.cli.handover import without_secrets_in_environment

    without_secrets_in_environment()
    from moorings.cli.serve import serve
    from moorings.cli.terminal import taken

    with taken() if take_terminal else contextlib.nullcontext():
        serve()


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Run jobs in a process of its own, beside services on the same database."""
    from moorings.cli.handover import without_secrets_in_environment

    without_secrets_in_environment()
    from moorings.cli.worker import work

    work()


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the metadata database's schema up to date."""
    from moorings.cli.storage import migrated

    migrated()
    typer.echo("The schema is up to date.")


@app.command()
def doctor(
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade",
            help="Instead, list what this version refuses of the connections and settings that exist, and what to "
            "change; exit code 0 if there is nothing. Works on the database of an earlier version, before its upgrade.",
        ),
    ] = False,
    json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Look at everything the service depends on, and list the egress rules.

    One line each: `ok`, `note` for what is worth knowing, `FAIL` for what is wrong. The exit code is 1 if anything that
    the service needs is wrong, else 0. It changes nothing, and dials no warehouse.
    """
    from moorings.cli.doctor import examine
    from moorings.cli.upgrade import examine_upgrade

    if not (examine_upgrade() if upgrade else examine(as_json=json)):
        raise typer.Exit(1)


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "Made on the command line",
    personal: Annotated[str | None, typer.Option(metavar="USER", help="Act as this user (email or id).")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it, this once. Without --personal it is an organization key."""
    from moorings.cli.keys import create

    typer.echo(create(name, personal))


@token_app.command("list")
def list_tokens(json: Json = False, data_dir: DataDir = None) -> None:
    """List the keys; never their tokens, which are not stored."""
    from moorings.cli.keys import listed
    from moorings.cli.tables import show

    show(listed(), as_json=json)


@token_app.command("revoke")
def revoke_token(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as listed.")], data_dir: DataDir = None
) -> None:
    """Revoke a key permanently, on every replica at once."""
    from moorings.cli.keys import revoke

    revoke(key_id)
    typer.echo("Revoked.")


@user_app.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="What they are called by in other commands; unique.")],
    name: Annotated[str, typer.Option(help="The name people know them by.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make them an organization admin.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Add a user and print their id."""
    from moorings.cli.users import create

    typer.echo(create(email, name or email, admin=admin))


@user_app.command("list")
def list_users(json: Json = False, data_dir: DataDir = None) -> None:
    """List the users."""
    from moorings.cli.tables import show
    from moorings.cli.users import listed

    show(listed(), as_json=json)


@user_app.command("disable")
def disable_user(user: UserName, data_dir: DataDir = None) -> None:
    """Let a user's keys work no more, until they are enabled again."""
    from moorings.cli.users import enable

    enable(user, enabled=False)
    typer.echo("Disabled.")


@user_app.command("enable")
def enable_user(user: UserName, data_dir: DataDir = None) -> None:
    """Let a disabled user's keys work again."""
    from moorings.cli.users import enable

    enable(user, enabled=True)
    typer.echo("Enabled.")


@user_app.command("delete")
def delete_user(user: UserName, data_dir: DataDir = None) -> None:
    """Delete a user permanently: their keys are revoked, their groups, roles and attribute values removed."""
    from moorings.cli.users import delete

    delete(user)
    typer.echo("Deleted.")


@user_app.command("admin")
def make_admin(
    user: UserName,
    remove: Annotated[bool, typer.Option("--remove", help="Let them be one no more.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a user an organization admin."""
    from moorings.cli.users import make_admin

    make_admin(user, admin=not remove)
    typer.echo("Done.")


@user_app.command("roles")
def list_roles(user: UserName, json: Json = False, data_dir: DataDir = None) -> None:
    """List the roles that a user has on connections, where each comes from, and which one counts."""
    from moorings.cli.tables import show
    from moorings.cli.users import roles_of

    show(roles_of(user), as_json=json)


@user_app.command("role")
def give_role(user: UserName, connection_id: ConnectionId, role: RoleName, data_dir: DataDir = None) -> None:
    """Give a user a role on one connection, in place of the one they had there."""
    from moorings.cli.users import give

    give(user, connection_id, role)
    typer.echo("Done.")


@group_app.command("create")
def create_group(
    name: Annotated[str, typer.Argument(help="What it is called; unique in any case.")], data_dir: DataDir = None
) -> None:
    """Add a group and print its id."""
    from moorings.cli.groups import create

    typer.echo(create(name))


@group_app.command("list")
def list_groups(json: Json = False, data_dir: DataDir = None) -> None:
    """List the groups."""
    from moorings.cli.groups import listed
    from moorings.cli.tables import show

    show(listed(), as_json=json)


@group_app.command("members")
def list_members(group: GroupName, json: Json = False, data_dir: DataDir = None) -> None:
    """List who is in a group."""
    from moorings.cli.groups import members
    from moorings.cli.tables import show

    show(members(group), as_json=json)


@group_app.command("add")
def add_members(group: GroupName, users: UserNames, data_dir: DataDir = None) -> None:
    """Add users to a group."""
    from moorings.cli.groups import change

    change(group, joining=users)
    typer.echo("Done.")


@group_app.command("remove")
def remove_members(group: GroupName, users: UserNames, data_dir: DataDir = None) -> None:
    """Take users out of a group."""
    from moorings.cli.groups import change

    change(group, leaving=users)
    typer.echo("Done.")


@group_app.command("role")
def give_group_role(group: GroupName, connection_id: ConnectionId, role: RoleName, data_dir: DataDir = None) -> None:
    """Give a group a role on one connection, in place of the one it had there."""
    from moorings.cli.groups import give

    give(group, connection_id, role)
    typer.echo("Done.")


@group_app.command("delete")
def delete_group(group: GroupName, data_dir: DataDir = None) -> None:
    """Delete a group with its roles; its members stay as users."""
    from moorings.cli.groups import delete

    delete(group)
    typer.echo("Deleted.")
