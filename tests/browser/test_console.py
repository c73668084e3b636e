"""The API console in Chromium, on a machine without any other network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from moorings.api.browser import assets
from moorings.dialects import names
from tests.processes.conftest import TOKEN, Replica
from tests.warehouses.servers.process import unavailable

NARROW, WIDE = 390, 1280

expect.set_options(timeout=30_000)  # a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system, which resolves no host name."""
    if not assets.has_viewer():
        unavailable("The API console", "sh scripts/api_pages.sh")
    if not (chromium := shutil.which("chromium") or shutil.which("google-chrome")):
        unavailable("Chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def replica(start) -> Iterator[Replica]:
    with start(SAMPLE="true") as running:
        yield running


class Console:
    """The page, with the requests and errors that it caused."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.requested: set[str] = set()
        self.errors: list[str] = []
        page.on("request", lambda request: self.requested.add(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{url}/docs")

    def authorize(self) -> None:
        self.page.locator("button.authorize").first.click()
        self.page.locator(".modal-ux input").fill(TOKEN)
        self.page.locator(".modal-ux button.authorize").click()
        self.page.locator(".modal-ux button.btn-done").click()

    def opened(self, operation: str) -> Locator:
        block = self.page.locator(f"#operations-Connections-{operation}")
        block.locator(".opblock-summary-control").click()
        return block


@pytest.fixture(scope="module")
def console(browser, replica) -> Iterator[Console]:
    page = browser.new_page(viewport={"width": WIDE, "height": 900})
    yield Console(page, replica.serving.url)
    page.close()


class TestConsole:
    def test_loads_from_this_service_alone_and_without_errors(self, console, replica):
        expect(console.page.locator(".opblock").first).to_be_visible()
        assert console.requested
        assert all(url.startswith(f"{replica.serving.url}/") for url in console.requested)
        assert console.errors == []

    def test_an_operation_needs_a_key_and_answers_once_the_caller_is_authorized(self, console):
        block = console.opened("connectionsList")
        answer = block.locator(".live-responses-table tbody")
        block.locator("button.execute").click()
        expect(answer.locator(".response-col_status")).to_contain_text("401")
        console.authorize()
        block.locator("button.execute").click()
        expect(answer.locator(".response-col_status")).to_contain_text("200")
        shown = json.loads(answer.locator(".response-col_description pre").first.inner_text())
        assert [connection["dialect"] for connection in shown["connections"]] == ["duckdb"]

    def test_a_body_has_an_example_and_a_schema_for_each_dialect(self, console):
        body = console.opened("connectionsCreate").locator(".opblock-section-request-body")
        expect(body.locator(".examples-select-element option")).to_have_count(len(names()))
        body.get_by_role("tab", name="Schema").click()
        variants = body.locator(".json-schema-2020-12-keyword--oneOf")
        variants.locator("> .json-schema-2020-12-accordion").click()
        expect(variants.locator("> ul > li")).to_have_count(len(names()))
        expect(variants).to_contain_text("PostgreSQL")

    @pytest.mark.parametrize("width", [NARROW, WIDE])
    def test_no_part_of_the_page_is_wider_than_the_window(self, console, width):
        console.page.set_viewport_size({"width": width, "height": 900})
        expect(console.page.locator(".opblock").first).to_be_visible()
        assert console.page.evaluate("document.documentElement.scrollWidth") <= width

    def test_search_finds_operations_by_their_paths(self, console):
        console.page.locator(".operation-filter-input").fill("whoami")
        expect(console.page.locator(".opblock")).to_have_count(1)
