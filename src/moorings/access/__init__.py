"""Organizations, users, keys and roles: who is asking, and what they may do."""
