"""The pattern of our own tokens."""

from __future__ import annotations

import re

TOKEN = re.compile(r"moo_(osk|pat)_[\w-]+")
"""A token of ours. No log line may contain one."""
