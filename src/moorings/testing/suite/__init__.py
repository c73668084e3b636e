"""One suite, each test run on every engine that a plugin hands over."""

import pytest

pytest.register_assert_rewrite("moorings.testing.room")
