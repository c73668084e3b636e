"""The README's tour, walked: every output in it is what the service answers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
STEPS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def context(tmp_path_factory, terminal_in):
    with terminal_in(tmp_path_factory.mktemp("tour")).serving() as serving:
        api = f"{serving.url}/api/v1"
        headers = {"Authorization": f"Bearer {serving.key}"}
        listed = httpx.get(f"{api}/connections", headers=headers, trust_env=False).json()
        yield {"API": api, "KEY": serving.key, "ID": listed["connections"][0]["id"]}


def test_there_is_a_tour():
    assert len(STEPS) >= 5


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[str(number) for number in range(1, len(STEPS) + 1)])
def test_step_answers_what_is_shown(context, command, shown):
    environment = {"PATH": "/usr/bin:/bin", "no_proxy": "*", **context}
    answered = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert answered.stdout.strip() == shown.strip()
