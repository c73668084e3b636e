"""Metrics, traces, and the id of the current request."""
