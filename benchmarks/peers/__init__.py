"""The list of connections beside that of others: `make peers`."""
