"""Connections: the stored settings and secrets of a warehouse, and the way to open it."""
