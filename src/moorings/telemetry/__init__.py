"""What operators see of a running service: metrics, traces, and the id of the request at work."""
