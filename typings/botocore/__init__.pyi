# What we use of botocore, which ships no types.
