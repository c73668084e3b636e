"""CONTRACT section 0: the sentences, each quoted."""

from __future__ import annotations

import pytest

from moorings import errors
from moorings.api.http import wording
from moorings.errors import Fault

SENTENCES = [
    (Fault("f", "required"), "f: Required"),
    (Fault("f", "type", {"expected": "number", "received": "string"}), "f: Expected number, received string"),
    (Fault("f", "type", {"expected": "integer", "received": "float"}), "f: Expected integer, received float"),
    (
        Fault("f", "enum", {"allowed": ("a", "b"), "received": "c"}),
        "f: Invalid enum value. Expected 'a' | 'b', received 'c'",
    ),
    (Fault("f", "enum_short"), "f: Invalid enum value"),
    (Fault("f", "too_short", {"limit": 1}), "f: String must contain at least 1 character(s)"),
    (Fault("f", "too_long", {"limit": 255}), "f: String must contain at most 255 character(s)"),
    (Fault("f", "too_small", {"limit": 1}), "f: Number must be greater than or equal to 1"),
    (Fault("f", "too_big", {"limit": 65535}), "f: Number must be less than or equal to 65535"),
    (Fault("f", "uuid"), "f: Invalid uuid"),
    (Fault("f", "url"), "f: Invalid url"),
    (Fault("f.0", "invalid"), "f.0: Invalid input"),
    (Fault("f", "custom", {"reason": "In words"}), "f: In words"),
]
DETAILS = [
    (errors.InvalidInput([Fault("a", "required"), Fault("b", "uuid")]), "Bad Request: a: Required; b: Invalid uuid"),
    (errors.UnknownKeys(["a", "b"]), "Bad Request: formErrors: Unrecognized key(s) in object: 'a', 'b'"),
    (errors.InvalidJson(), "Bad Request: Invalid JSON"),
    (errors.NotAnObject("array"), "Bad Request: Expected object, received array"),
    (errors.EmptyBody(), "Bad Request: Empty request body"),
    (errors.InvalidId("connectionId"), "Bad Request: connectionId: Invalid uuid"),
    (errors.UnknownDialects(["x", "y"]), "Invalid dialect(s): x, y"),
    (errors.UnknownDialect(), "Invalid connection dialect"),
    (errors.InvalidMethod(), "Invalid method"),
    (errors.NotFound(), "Not found"),
    (errors.ConnectionNotFound(), "Connection not found"),
    (errors.Archived(), "Connection is archived"),
    (errors.RateLimited(60, 1), "Too many requests"),
    (errors.AuthenticationRequired(), "Authentication required"),
    (errors.InvalidToken(), "Invalid bearer token"),
    (errors.PermissionDenied(), "Permission denied"),
    (errors.ValueInUse("dev"), 'User attribute value "dev" is already in use'),
    (errors.ConnectionTestFailed("connect", "Closed."), "Connection test failed at connect: Closed."),
    (errors.UnknownKeys(["\ud800"]), "Bad Request: formErrors: Unrecognized key(s) in object: '?'"),
]


class TestWording:
    @pytest.mark.parametrize(("fault", "sentence"), SENTENCES, ids=lambda given: getattr(given, "code", None))
    def test_each_code_has_its_sentence(self, fault: Fault, sentence: str) -> None:
        assert wording.fault(fault) == sentence

    @pytest.mark.parametrize(("error", "detail"), DETAILS, ids=lambda given: type(given).__name__)
    def test_each_error_has_its_detail(self, error: errors.MooringsError, detail: str) -> None:
        assert wording.detail(error) == detail

    def test_every_code_is_covered(self) -> None:
        assert {fault.code for fault, _ in SENTENCES} == set(wording.SENTENCES)
