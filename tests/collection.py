"""What a run of the tests checks of itself: each test has an id of its own, enough tests ran, no engine was missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Sequence

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")  # how long examples take to make is the machine's business, not a fault

FLOOR = 13_000
"""How many tests a run of all tests with every engine executes at least. Raise it as tests are added."""

MISSING = "is not installed: "
"""What every skip for lack of an engine says, between the engine's name and the remedy."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("tests_floor", "how many tests a whole run executes at least", default=str(FLOOR))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a generated call the id of its operation, which schemathesis 4.32 leaves to a name that pytest 9 ignores."""
    if label := getattr(item, "operation_label", None):
        item._id = item.id.with_params(label)


def _refuse_shared(ids: Sequence[str]) -> None:
    """Raise UsageError for two tests of one id: xdist would run one of them only, and not say so."""
    shared = [f"{nodeid} ({times} tests)" for nodeid, times in Counter(ids).items() if times > 1]
    if shared:
        raise pytest.UsageError("\n".join(["tests share an id:", *shared]))


class Account:
    """Counts what was collected, what ran and what was skipped for lack of an engine, in the process that reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ran = 0
        self._missing: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        _refuse_shared([item.nodeid for item in items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        _refuse_shared(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped:
            self._ran += 1
        if report.skipped and isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]:
            self._missing[report.longrepr[2].removeprefix("Skipped: ").split(f" {MISSING}")[0]] += 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Fail a whole run that executed too few tests; say last of all which engines were missing."""
        floor = int(self._config.getini("tests_floor"))
        short = self._is_whole() and self._ran < floor
        if short and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield
        if short:
            self._say(f"{self._ran} tests ran; a run of all tests executes at least {floor} (tests/collection.py).")
        if self._missing:
            lacked = ", ".join(f"{engine} ({tests})" for engine, tests in sorted(self._missing.items()))
            total = self._missing.total()
            tests = "TEST" if total == 1 else "TESTS"
            self._say(
                f"{total} {tests} DID NOT RUN for lack of: {lacked}. MOORINGS_TEST_REQUIRE=all make test runs all."
            )

    def _is_whole(self) -> bool:
        option = self._config.option
        narrowed = option.keyword, option.markexpr, option.collectonly, option.maxfail, getattr(option, "lf", False)
        whole = self._config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(narrowed)
        return whole and os.environ.get("MOORINGS_TEST_REQUIRE") == "all"

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(line, red=True, bold=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Account(config), "account")
