"""Measurements of the service beside its baselines: `make bench`."""
