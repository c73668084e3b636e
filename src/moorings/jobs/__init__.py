"""Jobs: work that outlives a request. The worker that leases a job first runs it."""
