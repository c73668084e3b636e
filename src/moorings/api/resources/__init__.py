"""The resources: one file each, with its endpoints."""
