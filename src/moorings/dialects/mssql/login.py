"""What the driver needs to log in to SQL Server."""

from __future__ import annotations

from moorings.dialects.mssql.config import ENTRA, SQL_LOGIN, Config

AZURE = (
    ".windows.net",
    ".usgovcloudapi.net",
    ".chinacloudapi.cn",
    ".azuresynapse.net",
    ".fabric.microsoft.com",
)
"""Zones of Microsoft's own, whose gateways want to hear in the login which server is meant, by its name."""


def is_azure(host: str) -> bool:
    """Whether a host name belongs to Azure, where nobody but Microsoft says which addresses it has."""
    return host.lower().endswith(AZURE)


def parameters(config: Config, database: str | None, address: str | None = None) -> dict[str, str]:
    """What the driver needs to log in, by its keywords; it quotes them itself. Without an address it dials the name."""
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
        "ConnectRetryCount": "0",  # a session that broke is the pool's to replace, not the driver's to hide
        "MultiSubnetFailover": "no",
    }
    return {keyword: value for keyword, value in given.items() if value}
