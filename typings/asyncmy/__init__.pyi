# What we use of asyncmy, whose own stubs say less than we rely on.
