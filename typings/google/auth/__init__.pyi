# What we use of google-auth, most of which has no annotations.
