"""A connection as a profile of ADBC: a TOML file from which every ADBC driver manager can open it.

Source: https://arrow.apache.org/adbc/current/format/connection_profiles.html.
"""

from __future__ import annotations

from urllib.parse import urlsplit

FLIGHT_PORT = 31337
"""The port that `moorings flight` uses by default."""


def flight_uri(url: str, port: int = FLIGHT_PORT) -> str:
    """The address of the Flight SQL server on the host of a service."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    scheme = "grpc+tls" if parts.scheme == "https" else "grpc"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def profile(connection_id: str, name: str, uri: str, key_variable: str = "MOORINGS_KEY") -> str:
    """The profile of a connection. It holds no key: ADBC reads it from the environment variable."""
    shown = "".join(character if character.isprintable() else " " for character in name)
    return (
        f"# {shown}\n"
        "profile_version = 1\n"
        'driver = "flightsql"\n'
        "\n"
        "[Options]\n"
        f'uri = "{uri}"\n'
        f'"adbc.flight.sql.authorization_header" = "Bearer {{{{ env_var({key_variable}) }}}}"\n'
        f'"adbc.flight.sql.rpc.call_header.database" = "{connection_id}"\n'
    )
