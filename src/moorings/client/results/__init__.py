"""Results of queries: decoders that are fed with bytes, and the objects that callers read."""
