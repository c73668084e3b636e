"""Organizations, users, keys and roles: authentication and authorization."""
