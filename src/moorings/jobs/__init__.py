"""Jobs: work that outlives a request, done once by whichever worker leases it first."""
