"""Sessions in processes of their own, for drivers whose calls can only be ended with their process.

`session` is the service's side, `child` the process that holds the driver, `messages` the protocol between them.
See docs/project/decisions/0011-processes.md.
"""
