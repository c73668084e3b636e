"""Schedules: when the catalogs of connections are refreshed by themselves."""
