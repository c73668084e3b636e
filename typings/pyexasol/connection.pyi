from typing import NamedTuple

class Host(NamedTuple):
    hostname: str
    ip_address: str | None
    port: int
    fingerprint: str | None
