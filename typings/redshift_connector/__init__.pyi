# What we use of redshift_connector.
__file__: str
