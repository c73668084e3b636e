"""How long a job waits between two attempts."""

from moorings.jobs.refresh import MAX_PAUSE_SECONDS, RetryPolicy


class TestPause:
    def test_doubles_with_each_attempt(self):
        policy = RetryPolicy(attempts=5, pause_seconds=10)
        assert [policy.pause(attempt, 1) for attempt in (1, 2, 3)] == [10, 20, 40]

    def test_is_spread_by_chance_over_its_later_half(self):
        assert [RetryPolicy(5, 10).pause(1, chance) for chance in (0, 0.5, 1)] == [5, 7.5, 10]

    def test_has_an_end(self):
        assert RetryPolicy(100, 10).pause(99, 1) == MAX_PAUSE_SECONDS
