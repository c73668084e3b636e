"""Exasol.

Driver: pyexasol (extra `exasol`), its telemetry switched off. Login: user name and password. TLS always; `host` may
carry the certificate's fingerprint (`db.example.com/135A…E181`), as Exasol's own clients take it, and be a range or a
list of hosts (`10.0.0.11..14`). Limits: Exasol has no read-only sessions or transactions: on a read-only connection,
statements are allowed by their first word, run without autocommit, and are rolled back. It has no EXPLAIN. Times arrive
to the microsecond; TIMESTAMP WITH LOCAL TIME ZONE arrives as an instant; in the hour that a clock repeats, as the first
one. Source: https://github.com/exasol/websocket-api.
"""
