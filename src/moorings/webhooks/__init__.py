"""Webhooks: URLs that get events, each with its own selection of events, secret and deliveries."""
