"""Amazon Redshift.

Driver: redshift_connector (extra `redshift`). Login: user name and password. Limits: numbers of no declared precision,
intervals, SUPER, geometry and times with a zone arrive as text; values that Arrow cannot represent (NaN of numerics,
infinite times, years outside 1 to 9999) arrive as null; `readOnly` is a read-only transaction, which stops neither
UNLOAD nor effects of functions elsewhere; a % outside of texts is written %% in statements with parameters. Source:
https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html.
"""
