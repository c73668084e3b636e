"""POST /connections/test and /connections/{id}/test."""

from __future__ import annotations

from moorings import dialects
from moorings.access.policy import Permission
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.resources import health, routed
from moorings.api.resources.connections.shapes import (
    StepShape,
    TestShape,
)
from moorings.dialects.config.connection import ConnectionConfig
from moorings.engine.service import TestReport
from moorings.queries.rights import Claim


async def test_unsaved(call: Call) -> TestShape:
    """Test the settings of a connection. Nothing is stored."""
    config = dialects.read(call.body)
    return test_shape(await reported(call, Claim(call.actor.key_id, None, None, None), config))


async def test_saved(call: Call) -> TestShape:
    """Test a stored connection. If it has environments, the one that the caller gets is tested."""
    query = Fields(call.query(), ("environment",))
    environment = routed.chosen(query)
    query.done()
    Fields(call.body, ()).done()
    target = await routed.routed(call, Permission.TEST, environment)
    base_id, key_id = call.connection.id, call.actor.key_id
    claim = Claim(key_id, base_id, environment, target.connection_id, Permission.TEST)
    report = await reported(call, claim, target.config, target.connection_id)
    await health.record(call, target, report)
    return test_shape(report)


async def reported(call: Call, claim: Claim, config: ConnectionConfig, connection_id: str | None = None) -> TestReport:
    """The report of a test, which ends with the right to it. Raises AccessLost."""
    engine, checked = call.services.engine, call.version.access
    work = engine.test(dialects.named(config.dialect), config, connection_id)
    return await call.services.queries.while_permitted(claim, checked, work)


def test_shape(report: TestReport) -> TestShape:
    """A test's report as the wire shows it."""
    steps = [
        StepShape(step.name, step.status, step.duration_ms, step.message, step.code, list(step.fields))
        for step in report.steps
    ]
    return TestShape(report.success, steps)
