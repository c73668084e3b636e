# Only a name for what stands in for its functions.
