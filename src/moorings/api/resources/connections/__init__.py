"""The endpoints of `/connections`; `routes.py` says which file serves which."""
