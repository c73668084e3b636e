"""Queries: SQL through a connection, as a stream that can be cancelled from anywhere."""
