"""Connections and what belongs to them as code: YAML files → a plan → the API."""
