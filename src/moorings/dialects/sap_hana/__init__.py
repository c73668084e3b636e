"""SAP HANA and SAP HANA Cloud.

Driver: hdbcli (extra `sap-hana`). Login: user name and password. Limits: the default port is HANA Cloud's; a tenant of
one's own server has another. A read-only statement runs in a transaction that is SET TRANSACTION READ ONLY and rolled
back; since a procedure could leave it, only SELECT, WITH and the like are taken. There is no time zone of a session:
times have none, and arrive as stored, to the microsecond (HANA keeps ten times as much). DECIMAL without a precision
arrives as exact text. Source: https://help.sap.com/docs/SAP_HANA_CLIENT.
"""
