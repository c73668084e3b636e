"""The pages that a browser shows: the API console, its files, and the plain page where the console is not installed."""

from __future__ import annotations

import re

import pytest

from moorings.api.browser import assets
from tests.warehouses.servers.process import unavailable

PATHS = ("/", "/docs")
CSP = "content-security-policy"


@pytest.fixture
def viewer():
    """The installed files of the API console."""
    if not assets.has_viewer():
        unavailable("The API console", "sh scripts/api_pages.sh")


def fetch(service, path):
    return service.run(service.client.get(path))


@pytest.fixture
def without_viewer(monkeypatch, tmp_path):
    """An installation that could not reach the npm registry."""
    folders = {name: tmp_path if folder == assets.VIEWER else folder for name, folder in assets.PLACES.items()}
    monkeypatch.setattr(assets, "PLACES", folders)
    monkeypatch.setattr(assets, "VIEWER", tmp_path)
    assets.asset.cache_clear()
    yield
    assets.asset.cache_clear()


class TestPages:
    @pytest.mark.parametrize("path", PATHS)
    def test_loads_only_files_of_this_service(self, service, path):
        page = fetch(service, path).text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert loaded
        for address in loaded:
            assert address.startswith("/")
            assert fetch(service, address).status_code == 200, address

    @pytest.mark.parametrize("path", PATHS)
    def test_has_no_script_or_style_inside_and_forbids_them(self, service, path):
        answer = fetch(service, path)
        assert not re.search(r"<style|<script>|\sstyle=|\son\w+=", answer.text)
        assert "default-src 'none'" in answer.headers[CSP]
        assert "unsafe" not in answer.headers[CSP]
        assert "http" not in answer.headers[CSP]

    def test_files_may_be_kept_because_their_address_changes_with_them(self, service, viewer):
        for name in assets.PLACES:
            answer = fetch(service, assets.address(name))
            assert "immutable" in answer.headers["cache-control"]
            assert assets.address(name).endswith(f"?{assets.asset(name).version}")

    def test_serves_no_other_file(self, service):
        for name in ("installed", "LICENSE", "..%2Fassets.py", "../assets.py"):
            assert fetch(service, f"/docs/{name}").status_code == 404


class TestConsole:
    def test_is_shown_where_it_is_installed(self, service, viewer):
        assert "/docs/swagger-ui-bundle.js" in fetch(service, "/docs").text

    def test_without_it_the_page_lists_every_operation_and_dialect(self, service, without_viewer):
        page = fetch(service, "/docs").text
        assert "swagger-ui-bundle.js" not in page
        assert "sh scripts/api_pages.sh" in page
        document = fetch(service, "/openapi.json").json()
        for path, methods in document["paths"].items():
            assert f"<code>{path}</code>" in page
            for operation in methods.values():
                assert f'id="{operation["operationId"]}"' in page
        assert "<summary>PostgreSQL</summary>" in page

    def test_without_it_its_files_are_not_found(self, service, without_viewer):
        assert fetch(service, "/docs/swagger-ui-bundle.js").status_code == 404
