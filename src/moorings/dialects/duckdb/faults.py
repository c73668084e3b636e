"""DuckDB's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors

OUT_OF_REACH = errors.StatementForbidden(message="Statements cannot use files, extensions and settings. Remove them.")
FAULTS: Mapping[str, errors.WarehouseError] = {
    "Parser": errors.StatementRefused(),
    "Binder": errors.StatementRefused(),
    "Catalog": errors.StatementRefused(),
    "Conversion": errors.StatementRefused(),
    "Out of Range": errors.StatementRefused(),
    "Constraint": errors.StatementRefused(),
    "Invalid Input": errors.StatementRefused(),
    "Not implemented": errors.StatementRefused(),
    "TransactionContext": errors.StatementRefused(),
    "Out of Memory": errors.ResultTooLarge(
        message=(
            "The statement needs more memory or disk space than its limit. Read less at once, or raise "
            "MOORINGS_DUCKDB_MEMORY_LIMIT or MOORINGS_DUCKDB_TEMP_BYTES."
        )
    ),
    "Permission": OUT_OF_REACH,
    "locked configuration": OUT_OF_REACH,
    "read-only": errors.ReadOnly(),
    "parameters": errors.ParametersRefused(),
    "INTERRUPT": errors.QueryCancelled(),
    "file lock": errors.DatabaseForbidden(
        "database",
        message="Another process has this file open for writing. Close it there, or open it read-only in both.",
    ),
    "other configuration": errors.DatabaseForbidden(
        "database",
        "read_only",
        message="This file is open in another connection with another readOnly. Set both to the same value.",
    ),
    "no DuckDB file": errors.DatabaseNotFound(
        "database", message="The file is not a DuckDB database, or has a version that this DuckDB cannot read."
    ),
    "no extension": errors.DriverMissing(
        message="DuckDB's motherduck extension is missing. Run `INSTALL motherduck` in DuckDB, as the service's user."
    ),
    "token": errors.LoginRefused(
        "password", message="MotherDuck refused the token. Create a new one in MotherDuck's settings."
    ),
    "no MotherDuck database": errors.DatabaseNotFound("database"),
    "Connection": errors.UnknownFault(),
    "IO": errors.UnknownFault(),
}
"""The kind of error that a text of DuckDB begins with, or a word of TELLTALES."""

MESSAGE_PATTERNS = (
    ("Could not set lock on file", "file lock"),
    ("with a different configuration", "other configuration"),
    ("not a valid DuckDB database file", "no DuckDB file"),
    ("Trying to read a database file with version", "no DuckDB file"),
    ("motherduck.duckdb_extension", "no extension"),
    ("Jwt", "token"),
    ("token", "token"),
    ("no database/share named", "no MotherDuck database"),
    ("read-only mode", "read-only"),
    ("configuration has been locked", "locked configuration"),
    ("Parameter argument/count mismatch", "parameters"),
    ("Parameter/argument count mismatch", "parameters"),
    ("Python integer too large", "parameters"),
    ("Values were not provided for the following", "parameters"),
)
"""Parts of DuckDB's texts → keys of FAULTS that are more exact than the kind of error at the start of the text."""
