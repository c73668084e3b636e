"""Prints the software bill of materials of a wheel with the versions of a lock, as CycloneDX 1.6 in JSON.

    sbom.py requirements/serve.lock moorings default

The same lock gives the same text. Licences are those of the packages that are installed here.
"""

from __future__ import annotations

import base64
import datetime as dt
import importlib.metadata
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from moorings import __version__  # noqa: E402

PINNED = re.compile(r"^([a-z0-9._-]+)==(\S+)(?: ; (.*?))? \\$", re.MULTILINE)
API_CONSOLE = ROOT / "requirements" / "api-pages" / "package-lock.json"


def bill(lock: str, name: str, extra: str | None) -> dict[str, Any]:
    """The bill of a wheel, and of what the lock installs with it."""
    components = [*_packages(lock), *(_npm_packages() if name == "moorings" else ())]
    purl = f"pkg:generic/{name}@{__version__}"
    subject = {"type": "application", "bom-ref": purl, "name": name, "version": __version__, "purl": purl}
    content = {
        "metadata": {
            "timestamp": _instant(),
            "component": subject | ({"properties": [{"name": "moorings:extra", "value": extra}]} if extra else {}),
        },
        "components": components,
        "dependencies": [*_dependencies(lock, purl, name)],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return head | content


def _instant() -> str:
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "1577836800"))
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _blocks(lock: str) -> Iterator[tuple[str, str, str | None, list[str]]]:
    """Name, version, marker, and what needs it, of each package."""
    for found, text in _found(lock):
        via = re.findall(r"^    #   (?:via )?(.+)$|^    # via (.+)$", text, re.MULTILINE)
        needed = [one or other for one, other in via]
        yield found[1], found[2], found[3], [each for each in needed if not each.startswith("-c ")]


def _found(lock: str) -> Iterator[tuple[re.Match[str], str]]:
    matches = list(PINNED.finditer(lock))
    for found, following in zip(matches, [*matches[1:], None], strict=True):
        yield found, lock[found.end() : following.start() if following else len(lock)]


def _reference(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _packages(lock: str) -> Iterator[dict[str, Any]]:
    for name, version, marker, _ in _blocks(lock):
        purl = _reference(name, version)
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }
        if license_ := _license(name, version):
            component["licenses"] = [license_]
        if marker:
            component["properties"] = [{"name": "python:marker", "value": marker}]
        yield component


def _license(name: str, version: str) -> dict[str, Any] | None:
    """An SPDX expression, or the words of the package."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if metadata["Version"] != version:
        return None
    if expression := metadata.get("License-Expression"):
        return {"expression": expression}
    said = (metadata.get("License") or "").strip().partition("\n")[0]
    classified = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or [] if "License ::" in each]
    words = classified[0] if classified else said[:100]
    return {"license": {"name": words}} if words else None


def _npm_packages() -> Iterator[dict[str, Any]]:
    """The API console, whose files are in the wheel."""
    locked = json.loads(API_CONSOLE.read_text())["packages"]
    for path, package in sorted(locked.items()):
        name = path.rpartition("node_modules/")[2]
        if name == "swagger-ui-dist":
            purl = f"pkg:npm/{name}@{package['version']}"
            algorithm, _, digest = package["integrity"].partition("-")
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": package["version"],
                "purl": purl,
                "hashes": [
                    {"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}
                ],
                "licenses": [{"license": {"id": package["license"]}}],
            }


def _dependencies(lock: str, purl: str, name: str) -> Iterator[dict[str, Any]]:
    versions: dict[str, list[str]] = {}
    for package, version, _, _ in _blocks(lock):
        versions.setdefault(package, []).append(_reference(package, version))
    needs: dict[str, set[str]] = {purl: set()}
    for package, version, _, needed_by in _blocks(lock):
        for parent in needed_by:
            own = parent.startswith(("moorings", "packages")) or "pyproject.toml" in parent
            for reference in [purl] if own else versions.get(parent.partition("[")[0], []):
                needs.setdefault(reference, set()).add(_reference(package, version))
    if name == "moorings":
        needs[purl] |= {each["bom-ref"] for each in _npm_packages()}
    for reference in sorted(needs):
        yield {"ref": reference, "dependsOn": sorted(needs[reference])}


if __name__ == "__main__":
    path, wheel, *extras = sys.argv[1:]
    print(json.dumps(bill(Path(path).read_text(), wheel, extras[0] if extras else None), indent=1))
