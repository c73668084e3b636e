"""Connection tests, however many, leave queries their places."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from moorings import errors
from moorings.engine.service import Engine, Target
from moorings.settings import Settings
from tests.unit.engine.broken import Broken, Config


def test_waiting_tests_fill_only_their_own_places() -> None:
    go = threading.Event()
    slow, quick = Broken("", RuntimeError(), go.wait), Broken("", RuntimeError())

    async def work() -> None:
        engine = Engine(
            Settings(_env_file=None, data_dir=Path("unused"), max_tests=2, max_sessions=1, pool_wait_seconds=0.1)
        )
        waiting = [asyncio.ensure_future(engine.test(slow, Config())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Saturated, match="MOORINGS_MAX_TESTS"):
            await engine.test(quick, Config())
        async with engine.lease(Target("one", 1, quick, Config())):
            with pytest.raises(errors.Saturated, match="MOORINGS_MAX_SESSIONS"):
                async with engine.lease(Target("another", 1, quick, Config())):
                    pass
        go.set()
        assert all(report.success for report in await asyncio.gather(*waiting))
        assert (await engine.test(quick, Config())).success
        await engine.close()
        assert engine.sessions() == {}

    asyncio.run(work())
