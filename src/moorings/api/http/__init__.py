"""The machinery of the wire: routes, keys, bodies, errors, limits, and the OpenAPI document."""
