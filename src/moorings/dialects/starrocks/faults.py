"""StarRocks' errors as ours: MySQL's, and further ones that only their text identifies."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.mysql import faults as mysql

FAULTS: Mapping[str, errors.WarehouseError] = {
    **mysql.FAULTS,
    "5203": errors.StatementForbidden(),
    "catalog": errors.DatabaseNotFound("database", message="The catalog does not exist. Check its name."),
}
"""The server's error number, or a word of TELLTALES."""

MESSAGE_PATTERNS = (
    ("Unknown catalog", "catalog"),
    ("Access denied; you need", "5203"),
    ("reached its timeout", "3024"),
    ("exceeded time limit", "3024"),
    ("ancelled by user", "1317"),
    ("Query cancelled", "1317"),
)
"""Parts of StarRocks' texts for numbers with several meanings → keys of FAULTS."""
