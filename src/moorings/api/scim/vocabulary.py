"""The names of SCIM's schemas, and of what clients send that is not stored here."""

from __future__ import annotations

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ATTRIBUTES = "urn:omni:params:1.0:UserAttribute"
"""The extension that holds a user's attributes, by their names."""

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"

ROLES = ("MEMBER", "ORG_ADMIN")

NOT_STORED = frozenset(
    name.lower()
    for name in (
        *("nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone", "password"),
        *("phoneNumbers", "ims", "photos", "addresses", "entitlements", "x509Certificates"),
        *("name.middleName", "name.honorificPrefix", "name.honorificSuffix", "emails"),
    )
)
"""Attributes of a user, in lower case, that RFC 7643 defines and that Moorings does not store.

The email is the userName. Identity providers send all of these; requests may have them, and they change nothing.
"""
