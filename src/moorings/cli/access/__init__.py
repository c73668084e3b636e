"""Commands about API keys, users and groups."""
