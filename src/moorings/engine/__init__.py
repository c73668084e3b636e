"""Access to warehouses: pooled sessions, each in a thread of its own, and connection tests."""
