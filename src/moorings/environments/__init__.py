"""Environments: connections that replace a base connection, and the attribute values that select each."""
