"""SAP HANA and SAP HANA Cloud.

Driver: hdbcli (extra `sap-hana`). Login: user name and password. Limits: the default port is HANA Cloud's; tenants of
other servers have other ports. A read-only statement runs in a transaction that is SET TRANSACTION READ ONLY and rolled
back; since a procedure could end it, only SELECT, WITH and the like are allowed. Sessions have no time zone: times have
none either, and arrive as stored, to the microsecond (HANA stores one more digit). DECIMAL without a precision arrives
as exact text. Source: https://help.sap.com/docs/SAP_HANA_CLIENT.
"""
