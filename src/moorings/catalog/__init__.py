"""Catalogs: the tables and columns of warehouses."""
