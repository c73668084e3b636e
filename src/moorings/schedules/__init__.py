"""Schedules: the times at which Moorings refreshes the catalogs of connections."""
