"""CONTRACT section 2, /connections/{id}/schedules."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from moorings.access.policy import Role

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
DAILY = {"schedule": "00 09 * * ? *", "timezone": "America/New_York"}
FIELDS = [
    "scheduleId",
    "connectionId",
    "schedule",
    "timezone",
    "description",
    "hardRefresh",
    "createdAt",
    "updatedAt",
    "disabledAt",
]
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SIX = "schedule: Expected six fields (minute hour day-of-month month day-of-week year), received"
SHORT = "String must contain at least 1 character(s)"
ZONE = 'timezone: unknown time zone "{}". Use a name from the IANA database, such as America/New_York'

FAULTS: list[tuple[Any, str]] = [
    ({}, "schedule: Required; timezone: Required"),
    (
        {"schedule": 5, "timezone": None},
        "schedule: Expected string, received number; timezone: Expected string, received null",
    ),
    ({"schedule": "", "timezone": ""}, f"schedule: {SHORT}; timezone: {SHORT}"),
    (DAILY | {"hardRefresh": "yes"}, "hardRefresh: Expected boolean, received string"),
    (DAILY | {"hardRefresh": None}, "hardRefresh: Expected boolean, received null"),
    (DAILY | {"schedule": "0 9 * *"}, f"{SIX} 4"),
    (DAILY | {"schedule": "0 9 * * 8"}, "schedule: Day-of-week takes 0-7 or SUN-SAT, not '8'"),
    (
        DAILY | {"schedule": "@reboot"},
        (
            "schedule: '@reboot' is not supported: use one of @yearly, @annually, @monthly, @weekly, @daily, "
            "@midnight, @hourly"
        ),
    ),
    (DAILY | {"schedule": "0 9 * * * *"}, "schedule: Exactly one of day-of-month and day-of-week must be '?'"),
    (DAILY | {"schedule": "0 25 * * ? *"}, "schedule: Hour takes 0-23, not '25'"),
    (DAILY | {"schedule": "cron(0 9 * * ? *)"}, "schedule: Write the six fields without cron( )"),
    (DAILY | {"schedule": "0 9 30 2 ? *"}, "schedule: The schedule has no future run. Check the year and the day"),
    (DAILY | {"schedule": "0 9 * * ? 2025"}, "schedule: The schedule has no future run. Check the year and the day"),
    (DAILY | {"schedule": "0 9 * * ? *" + " " * 255}, "schedule: String must contain at most 255 character(s)"),
    (DAILY | {"schedule": "0 9 * * ? \0"}, "schedule: Invalid input"),
    (DAILY | {"timezone": "Mars/Olympus"}, ZONE.format("Mars/Olympus")),
    (DAILY | {"timezone": "america/new_york"}, ZONE.format("america/new_york")),
    (DAILY | {"timezone": "../etc/passwd"}, ZONE.format("../etc/passwd")),
    (DAILY | {"timezone": "EDT"}, ZONE.format("EDT")),
    (
        {"schedule": "x", "timezone": "y", "hardRefresh": 1},
        f"{SIX} 1; {ZONE.format('y')}; hardRefresh: Expected boolean, received number",
    ),
    (DAILY | {"enabled": True}, "formErrors: Unrecognized key(s) in object: 'enabled'"),
]


def path(connection: str, schedule: str | None = None) -> str:
    return f"/connections/{connection}/schedules" + (f"/{schedule}" if schedule else "")


def create(service: Any, connection: str, **body: Any) -> dict[str, Any]:
    answer = service.request("POST", path(connection), json=DAILY | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestCreate:
    def test_answers_the_bare_object(self, service: Any) -> None:
        connection = service.create()
        made = create(service, connection)
        assert list(made) == FIELDS
        assert re.fullmatch(r"[0-9a-f-]{36}", made["scheduleId"])
        assert made["connectionId"] == connection
        assert (made["schedule"], made["timezone"]) == (DAILY["schedule"], DAILY["timezone"])
        assert re.fullmatch("At 09:00 AM E[DS]T", made["description"])
        assert (made["hardRefresh"], made["disabledAt"]) == (False, None)
        assert re.fullmatch(INSTANT, made["createdAt"])
        assert made["createdAt"] == made["updatedAt"]

    @pytest.mark.parametrize("cron", ["00 18 ? * * *", "00 18 ? * MON-FRI *", "30 08 1 * ? *", "0/15 * * * ? *"])
    def test_published_examples(self, service: Any, cron: str) -> None:
        assert create(service, service.create(), schedule=cron, timezone="Europe/London")["schedule"] == cron

    @pytest.mark.parametrize(("body", "detail"), FAULTS, ids=lambda given: json.dumps(given)[:80])
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        connection = service.create()
        answer = service.request("POST", path(connection), json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})
        assert service.request("GET", path(connection)).json() == {"schedules": []}

    def test_zero_bytes(self, service: Any) -> None:
        answer = service.request("POST", path(service.create()), content=b"")
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: Invalid JSON")


class TestRead:
    def test_list_has_each_with_its_next_five_runs(self, service: Any) -> None:
        connection = service.create()
        first, second = create(service, connection), create(service, connection, hardRefresh=True)
        create(service, service.create())
        answer = service.request("GET", path(connection))
        assert (answer.status_code, list(answer.json())) == (200, ["schedules"])
        listed = answer.json()["schedules"]
        assert [list(each) for each in listed] == [[*FIELDS, "nextRuns"]] * 2
        runs = [each.pop("nextRuns") for each in listed]
        assert sorted(listed, key=lambda each: each["hardRefresh"]) == [first, second]
        assert [len(each) for each in runs] == [5, 5]
        assert runs[0] == sorted(set(runs[0]))
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT1[34]:00:00\.000Z", run) for run in runs[0])

    def test_one_is_bare(self, service: Any) -> None:
        made = create(service, service.create(), schedule="0 0 1 1 ? 2198-2199", timezone="UTC")
        answer = service.request("GET", path(made["connectionId"], made["scheduleId"].upper()))
        runs = ["2198-01-01T00:00:00.000Z", "2199-01-01T00:00:00.000Z"]
        assert (answer.status_code, answer.json()) == (200, made | {"nextRuns": runs})


class TestReplace:
    def test_answers_the_bare_object(self, service: Any) -> None:
        made = create(service, service.create(), hardRefresh=True)
        body = {"schedule": "00 18 ? * MON-FRI *", "timezone": "Asia/Kolkata"}
        answer = service.request("PUT", path(made["connectionId"], made["scheduleId"]), json=body)
        changed = {"description": "At 06:00 PM, Monday through Friday IST", "hardRefresh": False}
        assert answer.status_code == 200
        assert list(answer.json()) == FIELDS
        assert answer.json() == made | body | changed | {"updatedAt": answer.json()["updatedAt"]}
        assert answer.json()["updatedAt"] > made["updatedAt"]
        (shown,) = service.request("GET", path(made["connectionId"])).json()["schedules"]
        assert shown | answer.json() == shown

    def test_with_the_same_changes_nothing(self, service: Any) -> None:
        made = create(service, service.create())
        answer = service.request("PUT", path(made["connectionId"], made["scheduleId"]), json=DAILY)
        assert (answer.status_code, answer.json()) == (200, made)

    @pytest.mark.parametrize(("body", "detail"), FAULTS, ids=lambda given: json.dumps(given)[:80])
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        made = create(service, service.create())
        answer = service.request("PUT", path(made["connectionId"], made["scheduleId"]), json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})


class TestRemove:
    def test_it_is_gone(self, service: Any) -> None:
        made = create(service, service.create())
        one = path(made["connectionId"], made["scheduleId"])
        answer = service.request("DELETE", one)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        for method, body in (("GET", None), ("PUT", DAILY), ("DELETE", None)):
            answer = service.request(method, one, json=body)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Schedule not found", "status": 404})


class TestPaths:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_which_id_is_wrong_is_said(self, service: Any, method: str) -> None:
        connection = service.create()
        body = DAILY if method == "PUT" else None
        for one, status, detail in (
            (path("x", SOME), 400, "Bad Request: connectionId: Invalid uuid"),
            (path(connection, "x"), 400, "Bad Request: id: Invalid uuid"),
            (path(SOME, SOME), 404, "Connection not found"),
            (path(connection, SOME), 404, "Schedule not found"),
        ):
            answer = service.request(method, one, json=body)
            assert (answer.status_code, answer.json()) == (status, {"detail": detail, "status": status})

    def test_a_schedule_of_another_connection_does_not_exist_here(self, service: Any) -> None:
        made, other = create(service, service.create()), service.create()
        answer = service.request("DELETE", path(other, made["scheduleId"]))
        assert (answer.status_code, answer.json()["detail"]) == (404, "Schedule not found")

    @pytest.mark.parametrize(("method", "suffix"), [("PATCH", ""), ("DELETE", ""), ("POST", f"/{SOME}")])
    def test_other_methods(self, service: Any, method: str, suffix: str) -> None:
        answer = service.request(method, path(service.create()) + suffix, json=DAILY)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid method", "status": 400})


class TestRoles:
    @pytest.mark.parametrize(
        ("role", "status"), [("CONNECTION_ADMIN", 200), ("MODELER", 403), ("VIEWER", 403), ("NO_ACCESS", 404)]
    )
    def test_connection_admins_only(self, service: Any, role: str, status: int) -> None:
        connection = service.create(baseRole="NO_ACCESS")
        made = create(service, connection)
        key = service.member(**{connection: Role[role]})
        one = path(connection, made["scheduleId"])
        assert service.request("GET", path(connection), key=key).status_code == status
        created = service.request("POST", path(connection), json=DAILY, key=key).status_code
        assert created == (201 if status == 200 else status)
        for method, body in (("GET", None), ("PUT", DAILY), ("DELETE", None)):
            assert service.request(method, one, json=body, key=key).status_code == status, method


class TestArchived:
    def test_schedules_can_be_read_and_survive(self, service: Any) -> None:
        connection = service.create()
        made = create(service, connection)
        one = path(connection, made["scheduleId"])
        assert service.request("DELETE", f"/connections/{connection}").status_code == 200
        assert service.request("GET", one).status_code == 200
        assert len(service.request("GET", path(connection)).json()["schedules"]) == 1
        for method, at, body in (("POST", path(connection), DAILY), ("PUT", one, DAILY), ("DELETE", one, None)):
            answer = service.request(method, at, json=body)
            assert (answer.status_code, answer.json()["detail"]) == (410, "Connection is archived")
        assert service.request("POST", f"/connections/{connection}/restore").status_code == 200
        assert service.request("PUT", one, json=DAILY).json() == made

    def test_what_hangs_on_a_connection_names_them(self, service: Any) -> None:
        made = create(service, service.create())
        answer = service.request("GET", f"/connections/{made['connectionId']}/dependents")
        assert answer.json()["schedules"] == [made["scheduleId"]]


def test_unix_cron_and_words_are_shown_as_six_fields(service: Any) -> None:
    connection = service.create()
    for sent, shown in (("30 6 * * 1-5", "30 6 ? * MON-FRI *"), ("@daily", "0 0 * * ? *")):
        made = service.request("POST", f"/connections/{connection}/schedules", json=DAILY | {"schedule": sent})
        assert (made.status_code, made.json()["schedule"]) == (201, shown)
