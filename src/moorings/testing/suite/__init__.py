"""One suite, each test run on every engine that a plugin hands over."""
