from __future__ import annotations

import asyncio

from moorings.access.buckets import SWEPT_FROM, MemoryBuckets, Taken


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def take(buckets: MemoryBuckets, key: str = "k", amount: int = 60, seconds: int = 60) -> Taken:
    return asyncio.run(buckets.take(key, amount, seconds))


class TestSteadyRefill:
    def test_a_burst_and_then_one_after_the_other(self) -> None:
        buckets = MemoryBuckets(clock := Clock())
        burst = [take(buckets) for _ in range(60)]
        assert [taken.remaining for taken in burst] == [*range(59, -1, -1)]
        assert (round(burst[0].full_after, 3), round(burst[-1].full_after, 3)) == (1, 60)
        for _ in range(3):
            refused = take(buckets)
            assert (round(refused.retry_after, 3), round(refused.full_after, 3)) == (1, 60)
            clock.seconds += 1
            assert take(buckets).retry_after == 0, "the next one is there after a second, whenever the burst began"

    def test_a_minute_of_silence_gives_all_at_once(self) -> None:
        buckets = MemoryBuckets(clock := Clock())
        for _ in range(60):
            take(buckets)
        clock.seconds += 60
        assert [take(buckets).retry_after for _ in range(60)] == [0] * 60
        assert take(buckets).retry_after > 0

    def test_a_refusal_costs_nothing(self) -> None:
        buckets = MemoryBuckets(clock := Clock())
        assert take(buckets, amount=1, seconds=10).remaining == 0
        for _ in range(5):
            assert take(buckets, amount=1, seconds=10).retry_after > 0
        clock.seconds += 10
        assert take(buckets, amount=1, seconds=10).retry_after == 0

    def test_keys_do_not_share(self) -> None:
        buckets = MemoryBuckets(Clock())
        assert take(buckets, "a", 1).retry_after == take(buckets, "b", 1).retry_after == 0


class TestMemory:
    def test_full_buckets_are_forgotten(self) -> None:
        buckets = MemoryBuckets(clock := Clock())
        for number in range(SWEPT_FROM):
            take(buckets, str(number))
        clock.seconds += 60
        take(buckets, "last")
        assert len(buckets._full) == 1
