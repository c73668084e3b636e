"""Decides by a statement's first word whether it can write in Athena.

Athena's grammar lets no INSERT, DDL or UNLOAD follow WITH, SELECT, VALUES, TABLE or an opening parenthesis, and nothing
that writes begin with SHOW or DESCRIBE; it takes one statement at a time. So a text that begins with one of these words
only reads. EXPLAIN ANALYZE runs the explained statement, and is refused. Leading comments are removed rather than
skipped, so that Athena's text begins with the word that was checked here. Source:
https://docs.aws.amazon.com/athena/latest/ug/select.html.
"""

from __future__ import annotations

import re

from moorings import errors
from moorings.dialects.statements import without_comments_before

READS = re.compile(
    r"(?:EXPLAIN\s+(?:\([^()]*\)\s*)?)?(?:SELECT\b|WITH\b|VALUES\b|TABLE\b|\()|SHOW\b|DESC(?:RIBE)?\b", re.IGNORECASE
)
WRITES = re.compile(
    r"(?:INSERT|UPDATE|DELETE|MERGE|CREATE|DROP|ALTER|TRUNCATE|UNLOAD|MSCK|VACUUM|OPTIMIZE|EXPLAIN)\b", re.IGNORECASE
)


def reading(sql: str, *, explained: bool = False) -> str:
    """The statement without the comments before it; raises ReadOnly or StatementRefused for one that could write.

    `explained`: any statement except EXPLAIN itself is allowed.
    """
    bare = without_comments_before(sql, "--")
    if explained and WRITES.match(bare) and bare[:7].upper() != "EXPLAIN":
        return bare
    if READS.match(bare):
        return bare
    if WRITES.match(bare):
        raise errors.ReadOnly
    raise errors.StatementRefused(
        message="A read-only connection allows SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE and EXPLAIN only."
    )
