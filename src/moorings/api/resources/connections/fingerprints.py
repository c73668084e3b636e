"""POST /connections/{id}/fingerprints: whether secrets are those that are stored, without storing or returning them."""

from __future__ import annotations

from moorings.api.http.answers import Shape
from moorings.api.http.call import Call
from moorings.api.resources.connections import changes
from moorings.connections import service


class FingerprintsShape(Shape):
    """The fingerprint of each secret of the body, by field. A stored secret is equal if it has the same fingerprint."""

    fingerprints: dict[str, str]


async def fingerprints(call: Call) -> FingerprintsShape:
    """Return the fingerprints that secrets would have as credentials of this connection. Nothing is stored.

    Compare them with `credentials` of the connection to find out whether a stored secret differs from yours.
    """
    config = await changes.restored(call)
    if config is None:
        return FingerprintsShape({})
    sent = {field: value for field, value in config.secrets().items() if config.wire_name(field) in call.body}
    found = await service.fingerprints(call.session, call.services.keyset, sent)
    return FingerprintsShape({config.wire_name(field): value for field, value in found.items()})
