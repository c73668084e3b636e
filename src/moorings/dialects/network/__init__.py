"""The network for outgoing connections: checked addresses, and HTTP to them."""
