"""Environments: which other connections stand in for a base connection, and for which values."""
