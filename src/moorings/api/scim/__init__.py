"""SCIM 2.0 (RFC 7643, RFC 7644): users and groups for identity providers, by the library scim2-server.

`routes` declares the operations, `endpoint` serves them. The rest imports the library (11 MB, 0.65 s) and is loaded by
the first SCIM request: `rewriting` converts clients' requests to the standard's form, `models` are the resources,
`service` adapts the protocol's steps, `storage` reads and writes by `access`, `filters` converts filters to SQL.
"""
