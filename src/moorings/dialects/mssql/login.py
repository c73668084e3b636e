"""The driver's arguments for a login to SQL Server."""

from __future__ import annotations

from moorings.dialects.mssql.config import ENTRA, SQL_LOGIN, Config

AZURE = (
    ".windows.net",
    ".usgovcloudapi.net",
    ".chinacloudapi.cn",
    ".azuresynapse.net",
    ".fabric.microsoft.com",
)
"""Microsoft's own DNS zones: their gateways need the server's name in the login."""


def is_azure(host: str) -> bool:
    """Whether a host name belongs to Azure, whose addresses only Microsoft controls."""
    return host.lower().endswith(AZURE)


def parameters(config: Config, database: str | None, address: str | None = None) -> dict[str, str]:
    """The driver's keyword arguments, which it quotes itself. Without an address it dials the name."""
    given = {
        "Server": f"tcp:{address or config.host},{config.port}",
        "HostnameInCertificate": config.host if address else None,
        "Database": database,
        "UID": config.username,
        "PWD": config.secrets().get("password", ""),
        "Authentication": ENTRA.get(config.authentication_type or SQL_LOGIN),
        "Encrypt": "yes" if config.encrypts else "no",
        "TrustServerCertificate": "yes" if config.trusts else "no",
        "ApplicationIntent": "ReadOnly" if config.read_only else "ReadWrite",
        "ConnectRetryCount": "0",  # the pool replaces a broken session; the driver must not do so silently
        "MultiSubnetFailover": "no",
    }
    return {keyword: value for keyword, value in given.items() if value}
