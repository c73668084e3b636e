"""The resources: a file each, with its endpoints."""
