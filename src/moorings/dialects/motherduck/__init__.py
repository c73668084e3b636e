"""MotherDuck, which is DuckDB with databases in the cloud.

Driver: duckdb (base install), whose motherduck extension is fetched when MotherDuck itself is reached. Login: an
access token, given as the password. Limits: the token is always required, and used only to reach MotherDuck itself.
Source: https://motherduck.com/docs/key-tasks/authenticating-and-connecting-to-motherduck/.
"""
