"""What our own tokens look like."""

from __future__ import annotations

import re

TOKEN = re.compile(r"moo_(osk|pat)_[\w-]+")
"""A token of ours. No log line may contain one."""
