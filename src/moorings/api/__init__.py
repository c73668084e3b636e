"""The wire: routes, authentication, the shapes that go in and out, and the only renderer of errors."""
