"""The way out: checked addresses, and HTTP over them."""
