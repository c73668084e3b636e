"""Connections: what is stored of a warehouse, and how it is opened."""
