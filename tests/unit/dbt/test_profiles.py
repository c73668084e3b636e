"""The YAML of a profile: whatever a setting holds, a reader of YAML finds it as it was."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from moorings.dbt.profiles import Raw, _lines, _scalar

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["no", "null", "~", "1", "1e3", "2026-01-01"]
)
scalars = texts | st.booleans() | st.integers()


def read(document: dict[str, Any]) -> Any:
    return yaml.safe_load("\n".join(_lines(document, 0)))


def without_templates(value: Any) -> Any:
    return value.replace("{", "").rstrip("\n") if isinstance(value, str) else value


class TestYaml:
    @given(st.dictionaries(texts.map(without_templates), scalars.map(without_templates), min_size=1))
    def test_gives_back_what_was_written(self, output):
        document = {"moorings": {"target": "t", "outputs": {"t": {"type": "x", "settings": output}}}}
        assert read(document) == document

    @given(texts.map(without_templates))
    @example("é" * 255)
    def test_a_target_may_be_called_anything(self, name):
        document = {"moorings": {"target": name, "outputs": {name: {"type": "x"}}}}
        assert read(document) == document


class TestTemplates:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("{{ x }}", "\"{{ '{' }}{ x }}\""),
            ("{%raw", "\"{{ '{' }}%raw\""),
            ("{#", "\"{{ '{' }}#\""),
            ("a\n", "\"a{{ '\\\\n' }}\""),
            ("a\nb", '"a\\nb"'),
            ("{a}", '"{a}"'),
        ],
    )
    def test_are_written_so_that_they_give_themselves(self, text, written):
        assert _scalar(text) == written

    def test_those_of_ours_are_left_to_dbt(self):
        assert _scalar(Raw("{{ env_var('X') }}")) == "\"{{ env_var('X') }}\""
