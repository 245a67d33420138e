"""JupyterLab once for all browser tests, a browser for each file, a page for each test.

Without chromium or Playwright these tests are skipped, with words that say how to get them.
"""

import signal

import lab
import pytest

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser, or the test is skipped."""
    if sync_playwright is None:
        pytest.skip("needs Playwright: pip install playwright")
    path = lab.find_chromium()
    if path is None:
        pytest.skip("needs chromium: apt-get install chromium, or set CHROMIUM to the path of one")
    return path


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    """(address, root folder) of a running JupyterLab; it ends with the tests, also when they are told to stop."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # else a SIGTERM would leave it running
    with lab.jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def browser(chromium):
    """A browser for one file: while Playwright is up, asyncio has a running loop that tests of other files must not see."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=lab.CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def notebook(server, browser):
    """A page for a notebook. After the test, an error on the browser's console that is not listed fails it."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    notebook = lab.Notebook(page, *server)
    yield notebook
    errors = notebook.unlisted_errors()  # before the kernels end: what JupyterLab says to that is not of interest
    notebook.close()
    assert not errors, errors
