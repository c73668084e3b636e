"""Builds Arrow columns from drivers' results."""
