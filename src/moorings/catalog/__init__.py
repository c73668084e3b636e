"""Catalogs: what warehouses hold."""
