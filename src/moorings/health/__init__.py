"""Health: whether connections reach their warehouses, since when, and who is told when that changes."""
