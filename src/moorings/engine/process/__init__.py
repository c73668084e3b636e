"""Sessions in processes of their own, for drivers whose calls nothing else can end.

`session` is the end in the service, `child` the process that holds the driver, `messages` what they say to each other.
See docs/project/decisions/0011-processes.md.
"""
