"""Moorings: a self-hosted connection service for analytics."""

__version__ = "0.1.0"
