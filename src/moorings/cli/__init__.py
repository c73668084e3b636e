"""The command line. Commands are declared here. Their code is imported when they run, so that each starts quickly."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from moorings.cli.database.commands import backup, db_app, restore
from moorings.cli.options import DataDir, FlightPort, Host, Json, Port, group, root

app = root("Moorings: stores connections to your warehouses and runs SQL through them.")
token_app = group("Manage API keys: organization keys and personal access tokens.")
user_app = group("Manage users, which personal access tokens act as.")
group_app = group("Manage groups of users, which share roles on connections.")


def _print_version(wanted: bool) -> None:
    if wanted:
        from moorings import __version__

        typer.echo(f"moorings {__version__}")
        raise typer.Exit


@app.callback()
def _moorings(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Moorings: stores connections to your warehouses and runs SQL through them."""


app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
app.add_typer(group_app, name="group")
app.add_typer(db_app, name="db")


UserName = Annotated[str, typer.Argument(metavar="USER", help="Email or id of a user.")]
UserNames = Annotated[list[str], typer.Argument(metavar="USER…", help="Emails or ids of users.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Name or id of a group.")]
ConnectionId = Annotated[str, typer.Argument(metavar="CONNECTION", help="Id of the connection.")]
RoleName = Annotated[
    str, typer.Argument(help="NO_ACCESS, VIEWER, RESTRICTED_QUERIER, QUERIER, MODELER or CONNECTION_ADMIN.")
]


@app.command()
def serve(
    take_terminal: Annotated[bool, typer.Option("--take-terminal", hidden=True)] = False,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Start the service. The first start creates the data directory, the keyset and an API key."""
    from moorings.cli.handover import without_secrets_in_environment

    without_secrets_in_environment()
    from moorings.cli.serve import serve
    from moorings.cli.terminal import taken

    with taken() if take_terminal else contextlib.nullcontext():
        serve()


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Run background jobs in a separate process that uses the same database as the service."""
    from moorings.cli.handover import without_secrets_in_environment

    without_secrets_in_environment()
    from moorings.cli.worker import work

    work()


@app.command()
def flight(data_dir: DataDir = None, host: Host = None, port: FlightPort = None) -> None:
    """Serve Flight SQL in a separate process that uses the same database as the service."""
    from moorings.cli.handover import without_secrets_in_environment

    without_secrets_in_environment()
    from moorings.cli.flight import fly

    fly()


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Migrate the metadata database to the schema of this version."""
    from moorings.cli.storage import migrated

    migrated()
    typer.echo("The schema is up to date.")


@app.command()
def doctor(
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade",
            help=(
                "List stored connections and settings that this version refuses, and how to change them. "
                "The exit code is 0 if there are none. Run it before an upgrade, on the database of the "
                "earlier version."
            ),
        ),
    ] = False,
    json: Json = False,
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Check everything the service depends on, and list the egress rules.

    Prints one line per check: `ok`, `note` for information, `FAIL` for problems. The exit code is 1 if anything that
    the service needs is wrong, else 0. It changes nothing and connects to no warehouse.
    """
    from moorings.cli.doctor import examine
    from moorings.cli.upgrade import examine_upgrade

    if not (examine_upgrade() if upgrade else examine(as_json=json)):
        raise typer.Exit(1)


app.command()(backup)
app.command()(restore)


@app.command()
def mcp(
    url: Annotated[str | None, typer.Option(help="The address of the service, in place of MOORINGS_URL.")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of `moorings login`.")] = None,
) -> None:
    """Serve tools for agents on standard input and output (MCP), through a running service.

    The key is MOORINGS_KEY, or that of the profile. It needs the scope mcp, or no scopes.
    """
    from moorings.cli.agents import serve_stdio

    serve_stdio(url, profile)


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Option(help="A name for the key.")] = "Made on the command line",
    personal: Annotated[str | None, typer.Option(metavar="USER", help="Act as this user (email or id).")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Limit the key to a scope: read, query, manage, scim or mcp. Repeat it for several."),
    ] = None,
    connection: Annotated[
        list[str] | None,
        typer.Option(metavar="CONNECTION", help="Limit the key to a connection (id or name). Repeat it for several."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="The expiry: 90d, 12h, or a time such as 2027-01-31T00:00:00Z.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create a key and print it once. Without --personal it is an organization key.

    A key with --scope or --connection is never an organization admin.
    """
    from moorings.cli.access.keys import create

    typer.echo(create(name, personal, scope, connection, expires))


@token_app.command("rotate")
def rotate_token(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as listed.")],
    overlap: Annotated[str, typer.Option(metavar="TIME", help="How long the old token stays valid: 0, 12h, 30d.")] = (
        "1d"
    ),
    data_dir: DataDir = None,
) -> None:
    """Give a key a new token and print it once. A key that expires gets a new period of the same length."""
    from moorings.cli.access.keys import rotate

    typer.echo(rotate(key_id, overlap))


@token_app.command("list")
def list_tokens(json: Json = False, data_dir: DataDir = None) -> None:
    """List the keys, without their tokens, which are not stored."""
    from moorings.cli.access.keys import listed
    from moorings.cli.tables import show

    show(listed(), as_json=json)


@token_app.command("revoke")
def revoke_token(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as listed.")], data_dir: DataDir = None
) -> None:
    """Revoke a key permanently, on every replica at once."""
    from moorings.cli.access.keys import revoke

    revoke(key_id)
    typer.echo("Revoked.")


@user_app.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="The user's email address. Unique; other commands take it.")],
    name: Annotated[str, typer.Option(help="The user's display name.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make them an organization admin.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Create a user and print their id."""
    from moorings.cli.access.users import create

    typer.echo(create(email, name or email, admin=admin))


@user_app.command("list")
def list_users(json: Json = False, data_dir: DataDir = None) -> None:
    """List the users."""
    from moorings.cli.access.users import listed
    from moorings.cli.tables import show

    show(listed(), as_json=json)


@user_app.command("disable")
def disable_user(user: UserName, data_dir: DataDir = None) -> None:
    """Disable a user: their keys are refused until the user is enabled again."""
    from moorings.cli.access.users import enable

    enable(user, enabled=False)
    typer.echo("Disabled.")


@user_app.command("enable")
def enable_user(user: UserName, data_dir: DataDir = None) -> None:
    """Enable a disabled user: their keys are accepted again."""
    from moorings.cli.access.users import enable

    enable(user, enabled=True)
    typer.echo("Enabled.")


@user_app.command("delete")
def delete_user(user: UserName, data_dir: DataDir = None) -> None:
    """Delete a user permanently: their keys are revoked, their groups, roles and attribute values removed."""
    from moorings.cli.access.users import delete

    delete(user)
    typer.echo("Deleted.")


@user_app.command("admin")
def make_admin(
    user: UserName,
    remove: Annotated[bool, typer.Option("--remove", help="Make them a member again.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a user an organization admin."""
    from moorings.cli.access.users import make_admin

    make_admin(user, admin=not remove)
    typer.echo("Done.")


@user_app.command("roles")
def list_roles(user: UserName, json: Json = False, data_dir: DataDir = None) -> None:
    """List a user's roles on connections, the source of each, and which role applies."""
    from moorings.cli.access.users import roles_of
    from moorings.cli.tables import show

    show(roles_of(user), as_json=json)


@user_app.command("role")
def give_role(user: UserName, connection_id: ConnectionId, role: RoleName, data_dir: DataDir = None) -> None:
    """Set a user's own role on a connection. It replaces the previous one."""
    from moorings.cli.access.users import give

    give(user, connection_id, role)
    typer.echo("Done.")


@group_app.command("create")
def creategroup(
    name: Annotated[str, typer.Argument(help="The group's name. Unique, whatever the case.")], data_dir: DataDir = None
) -> None:
    """Create a group and print its id."""
    from moorings.cli.access.groups import create

    typer.echo(create(name))


@group_app.command("list")
def list_groups(json: Json = False, data_dir: DataDir = None) -> None:
    """List the groups."""
    from moorings.cli.access.groups import listed
    from moorings.cli.tables import show

    show(listed(), as_json=json)


@group_app.command("members")
def list_members(group: GroupName, json: Json = False, data_dir: DataDir = None) -> None:
    """List the members of a group."""
    from moorings.cli.access.groups import members
    from moorings.cli.tables import show

    show(members(group), as_json=json)


@group_app.command("add")
def add_members(group: GroupName, users: UserNames, data_dir: DataDir = None) -> None:
    """Add users to a group."""
    from moorings.cli.access.groups import change

    change(group, joining=users)
    typer.echo("Done.")


@group_app.command("remove")
def remove_members(group: GroupName, users: UserNames, data_dir: DataDir = None) -> None:
    """Remove users from a group."""
    from moorings.cli.access.groups import change

    change(group, leaving=users)
    typer.echo("Done.")


@group_app.command("role")
def give_group_role(group: GroupName, connection_id: ConnectionId, role: RoleName, data_dir: DataDir = None) -> None:
    """Set a group's role on a connection. It replaces the previous one."""
    from moorings.cli.access.groups import give

    give(group, connection_id, role)
    typer.echo("Done.")


@group_app.command("delete")
def deletegroup(group: GroupName, data_dir: DataDir = None) -> None:
    """Delete a group and its roles. Its members stay."""
    from moorings.cli.access.groups import delete

    delete(group)
    typer.echo("Deleted.")
