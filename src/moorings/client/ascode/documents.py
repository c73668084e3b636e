"""Files → one document: several files and folders, each key once, and variables in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from moorings.client.ascode.faults import FileFault
from moorings.client.ascode.references import beside, mapped, with_variables

SECTIONS = ("variables", "attributes", "connections", "webhooks")
"""The keys of a file, beside `version`. Each holds a mapping."""
VERSION = 1


class _Loader(yaml.SafeLoader):
    """YAML whose mappings have each key once."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise FileFault(f'line {node.value[place][0].start_mark.line + 1}: the key "{key}" is there twice')
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(paths: Iterable[Path], variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The sections of all files. `variables` replace those of the files. Raises FileFault."""
    merged: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    sources: dict[tuple[str, str], Path] = {}
    for path in _files(paths):
        for section, entries in _read(path).items():
            for key, value in entries.items():
                if (section, key) in sources:
                    raise FileFault(f'{path}: {section}."{key}" is in {sources[section, key]} already')
                sources[section, key] = path
                merged[section][key] = value
    known = merged.pop("variables") | dict(variables)
    return {section: mapped(entries, lambda text: with_variables(text, known)) for section, entries in merged.items()}


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for kind in ("*.yaml", "*.yml") for each in path.rglob(kind))
            found += [each for each in inside if not any(part.startswith(".") for part in each.relative_to(path).parts)]
        elif path.is_file():
            found.append(path)
        else:
            raise FileFault(f"{path}: there is no such file")
    if not found:
        raise FileFault(f"There are no YAML files in {', '.join(map(str, paths))}")
    return list(dict.fromkeys(found))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            document: Any = loader.get_single_data()
        finally:
            loader.dispose()
    except FileFault as fault:
        raise FileFault(f"{path}: {fault.message}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as failed:
        raise FileFault(f"{path} cannot be read: {' '.join(str(failed).split())}") from failed
    return _sections(path, {} if document is None else document)


def _sections(path: Path, document: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(document, dict):
        raise FileFault(f"{path}: a mapping is expected, with {', '.join(SECTIONS)}")
    found = cast("dict[Any, Any]", document)
    if (version := found.pop("version", VERSION)) != VERSION:
        raise FileFault(f"{path}: version: {version!r} is unknown. This version of Moorings reads version {VERSION}")
    for section, entries in found.items():
        if section not in SECTIONS:
            raise FileFault(f'{path}: "{section}" is unknown. Use one of {", ".join(SECTIONS)}')
        if not isinstance(entries, dict) or not all(isinstance(key, str) for key in cast("dict[Any, Any]", entries)):
            raise FileFault(f"{path}: {section}: a mapping from names is expected")
    return mapped(found, lambda text: beside(text, path.parent))
