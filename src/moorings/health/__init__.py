"""Health: whether connections reach their warehouses, since when, and the webhook for changes."""
