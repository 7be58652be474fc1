"""What tests in a real browser share: Chromium without a window, and what must not happen in it.

A test fails on anything that the browser complains about, and on any request that leaves the machine.
"""

import os
import shutil
from urllib.parse import urlsplit

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium here: `apt-get install chromium`, or another package that has the program chromium"
INSIDE = {"file", "data", "blob", "about"}  # schemes that reach nobody
OWN_HOSTS = {"127.0.0.1", "localhost", "::1"}
BAD = {"serious", "critical"}  # in axe-core's words
PHONE = {"width": 375, "height": 667}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def chromium():
    """The browser of the machine, which Playwright drives; it brings none of its own."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to start as root
        browser = playwright.chromium.launch(executable_path=program, args=as_root)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens an address in a window of its own; at the end of the test nobody may have complained."""
    contexts, complaints = [], []

    def note_request(request):
        if is_outside(request.url):
            complaints.append(f"a request to {request.url}")

    def note_console(message):
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type} in the console: {message.text}")

    def open_window(address, size=DESK, dark=False):
        context = chromium.new_context(viewport=size, color_scheme="dark" if dark else "light", reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("request", note_request)
        page.on("console", note_console)
        page.on("pageerror", lambda error: complaints.append(f"an error in a script: {error}"))
        page.goto(address)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def is_outside(address):
    """Whether an address is another machine's."""
    parts = urlsplit(address)
    return parts.scheme not in INSIDE and parts.hostname not in OWN_HOSTS


@pytest.fixture(scope="session")
def violations():
    """A function from an open page to what axe-core finds that keeps people from using it, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page):
        rules = Axe().run(page).response["violations"]
        return [
            f"{rule['id']}: {rule['help']}: {node['html'][:120]}"
            for rule in rules
            if rule["impact"] in BAD
            for node in rule["nodes"]
        ]

    return found
