"""A JupyterLab of its own for the browser tests, and a notebook in it as a reader has it on the screen."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import nbformat
from cell_rules import SAME_KERNEL, WATCH_COMMANDS, Stopwatch, silent_failure
from views import PATIENCE, Explorer, until

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "browser"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # the tests see no network, here and elsewhere
LAP = 10  # seconds after which the machine's speed is measured again
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
PRIVATE = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
           "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
SETTINGS = {  # what would ask the network, and what would take cells off the page that a test looks at
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings":
        {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}
ALLOWED_CONSOLE_ERRORS = [  # each with its reason
    # The badge in a chapter's opening: a picture from outside, and the tests see no network.
    r"^Failed to load resource: net::ERR_NAME_NOT_RESOLVED https://colab\.research\.google\.com/assets/colab-badge\.svg$",
]


def find_chromium() -> str | None:
    """The browser: $CHROMIUM, or Debian's chromium."""
    candidates = [os.environ.get("CHROMIUM"), shutil.which("chromium"), "/usr/bin/chromium"]
    return next((path for path in candidates if path and Path(path).is_file()), None)


# ---------------------------------------------------------------- the server

def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _command(port: int, root: Path) -> list[str]:
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
            "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={root}",
            "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly", "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]


def _wait_for_answer(process: subprocess.Popen, url: str, log: Path, seconds: float = 120) -> None:
    started, direct = time.monotonic(), urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() - started < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with status {process.returncode}:\n{log.read_text()}")
        try:
            return direct.open(url + "/api", timeout=2).close()
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not answer in {seconds} s:\n{log.read_text()}")


@contextmanager
def jupyterlab(folder: Path):
    """A server with empty private configuration folders in `folder`; gives (address, root folder of the notebooks).

    Its kernels are of this interpreter and end with it: ipykernel watches its parent.
    """
    root, state, log = folder / "root", folder / "state", folder / "lab.log"
    root.mkdir(parents=True)
    env = {**os.environ, **{name: str(state / name) for name in PRIVATE}}
    env.pop("JUPYTER_PATH", None)
    for name, settings in SETTINGS.items():
        path = state / "JUPYTERLAB_SETTINGS_DIR" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    port = _free_port()
    with open(log, "w") as stream:
        process = subprocess.Popen(_command(port, root), stdout=stream, stderr=subprocess.STDOUT, env=env, cwd=root)
    try:
        _wait_for_answer(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}", root
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---------------------------------------------------------------- a notebook in the page

CONNECTED = """async () => { const w = window.jupyterapp.shell.currentWidget;
    await w.context.ready; await w.sessionContext.ready; await w.sessionContext.session.kernel.info; }"""
EXECUTE = """command => { window.executed = null;
    window.jupyterapp.commands.execute(command).then(ok => { window.executed = {ok}; },
                                                     error => { window.executed = {error: String(error)}; }); }"""
CELLS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells)
    .filter(cell => cell.type === 'code').map(cell => ({source: cell.sharedModel.source, count: cell.executionCount,
        tags: cell.getMetadata('tags') ?? [], outputs: cell.outputs.toJSON()}))"""
RUN_UNSEEN = """async code => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    try { return (await kernel.requestExecute({code, silent: true, store_history: false}).done).content.status; }
    catch { return 'error'; } }"""
PICTURES_ARE_THERE = """() => [...document.querySelectorAll('.vae-explorer img')]
    .every(image => image.complete && image.naturalWidth)"""
END_KERNELS = "() => window.jupyterapp?.serviceManager?.sessions?.shutdownAll().catch(() => {})"  # one may be gone already
SAVE = """async kernel => { const { context } = window.jupyterapp.shell.currentWidget;
    if (kernel) {
        context.model.setMetadata('kernelspec', {name: kernel, display_name: kernel, language: kernel});
        context.model.setMetadata('language_info', {name: kernel}); }
    await context.save(); }"""


class Notebook:
    """A notebook that is open in JupyterLab; keeps the errors on the browser's console.

    Args:
        page: of Playwright.
        url: of the server.
        root: the folder that it serves.
    """

    def __init__(self, page, url: str, root: Path):
        self.page, self.url, self.root = page, url, root
        self.console: list[str] = []
        self.allowed = list(ALLOWED_CONSOLE_ERRORS)
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", self._keep_error)
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))

    def _keep_error(self, message) -> None:
        if message.type == "error":
            self.console.append(f"{message.text} {message.location.get('url', '')}")

    def unlisted_errors(self) -> list[str]:
        """Errors on the browser's console that are not listed as JupyterLab's own."""
        return [error for error in self.console if not any(re.search(pattern, error) for pattern in self.allowed)]

    def open(self, source: Path | list[str], name: str) -> None:
        """Open a copy of a notebook file, or a notebook made of these code cells, and wait for its kernel."""
        if isinstance(source, Path):
            notebook = nbformat.read(source, as_version=4)
        else:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in source])
        notebook.metadata["kernelspec"] = KERNELSPEC
        nbformat.write(notebook, self.root / f"{name}.ipynb")
        self.page.goto(f"{self.url}/lab/tree/{name}.ipynb?reset")
        self._wait_until_open()
        self.page.keyboard.press("Control+b")  # hides the file browser

    def _wait_until_open(self, without_kernel: bool = False) -> None:
        self.page.wait_for_selector(".jp-Notebook")
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
        if without_kernel:  # JupyterLab asks which one
            self.page.locator(".jp-Dialog select").select_option(label="No Kernel")
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
            self.page.wait_for_selector(".jp-Dialog", state="detached")
        else:
            self.page.evaluate(CONNECTED)  # a Run All that comes before the kernel is connected is lost

    def save(self, kernel: str | None = None) -> None:
        """Save the notebook; `kernel`: as one for a kernel of that name."""
        self.page.evaluate(SAVE, kernel)

    def reopen(self, end_kernels: bool = True, without_kernel: bool = False) -> None:
        """Load the page anew, with a new kernel or with the old one; without any, where JupyterLab asks which to start."""
        address, heard = self.page.url, len(self.console)
        if end_kernels:
            self.page.evaluate(END_KERNELS)
        self.page.goto("about:blank")
        del self.console[heard:]  # what JupyterLab says to the end of its kernels, or of its page, is not of interest
        self.page.goto(address)
        self._wait_until_open(without_kernel)

    def start(self, command: str = "notebook:run-all-cells") -> None:
        """Begin to run all cells, and do not wait."""
        self.page.evaluate(EXECUTE, command)

    def finish(self, seconds: float = 2 * PATIENCE, lap: Callable[[], None] = lambda: None) -> None:
        """Wait until all cells have run, calling `lap` again and again; an error in one is this test's error."""
        def executed():
            lap()
            return self.page.evaluate("() => window.executed")

        done = until(self.page, executed, self._where_it_stands, seconds, pause=200)  # the cells need the processor
        assert not self.errors(), self.errors()[0]
        assert done.get("ok"), f"Run All failed: {done}"
        behind = [cell["source"] for cell in self.cells() if cell["source"].strip() and not cell["count"]]
        assert not behind, f"Run All left cells out:\n{behind[0]}"

    def run_all(self, seconds: float = 2 * PATIENCE) -> None:
        """Run All, and wait for all cells and for their explorers."""
        self.start()
        self.finish(seconds)
        self.wait_for_explorers()

    def run_strictly(self, seconds: float = 2 * PATIENCE) -> Stopwatch:
        """Run All, by the rules that pytest keeps for notebooks without a browser; returns what it took."""
        assert self.run_unseen(WATCH_COMMANDS) == "ok"
        watch = Stopwatch()
        last = time.monotonic()

        def lap(least: float = LAP) -> None:
            nonlocal last
            if time.monotonic() - last > least:
                watch.add(time.monotonic() - last)
                last = time.monotonic()

        self.start()
        self.finish(seconds, lap)
        lap(0)
        for cell in self.cells():
            wrong = silent_failure(cell["outputs"], "raises-exception" in cell["tags"])
            assert not wrong, f"{wrong}\nin the cell\n{cell['source']}"
        assert self.run_unseen(SAME_KERNEL) == "ok", "a cell ended the kernel"
        assert not watch.too_long, f"Run All took {watch}"
        self.wait_for_explorers()
        return watch

    def run_unseen(self, code: str) -> str:
        """Let the kernel run code that no cell holds; returns "ok" or "error"."""
        return self.page.evaluate(RUN_UNSEEN, code)

    def restart_and_run_all(self, seconds: float = 2 * PATIENCE) -> None:
        """Restart the kernel and run all cells, as the button of that name does."""
        self.start("notebook:restart-run-all")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.finish(seconds)
        self.page.wait_for_selector(".jp-Dialog", state="detached")
        self.wait_for_explorers()

    def cells(self) -> list[dict]:
        """source, execution count and outputs of each code cell."""
        return self.page.evaluate(CELLS)

    def errors(self) -> list[str]:
        """The cells that ended in an error, with its traceback."""
        return [f"{output['ename']}: {output['evalue']}\nin the cell\n{cell['source']}\n" + _plain(output["traceback"])
                for cell in self.cells() if "raises-exception" not in cell["tags"]
                for output in cell["outputs"] if output["output_type"] == "error"]

    def _where_it_stands(self) -> str:
        waiting = [cell["source"] for cell in self.cells() if not cell["count"]]
        return "all cells run. " + "\n".join(self.errors() or [f"It waits for the cell\n{(waiting or ['?'])[0]}"])

    def wait_for_explorers(self) -> None:
        """Wait until every explorer that a cell made is on the page, with its picture."""
        made = sum("Explorer: " in output.get("data", {}).get("text/plain", "") for cell in self.cells()
                   for output in cell["outputs"])
        shown = self.page.locator(".vae-explorer")
        until(self.page, lambda: shown.count() == made, lambda: f"{made} explorers on the page; {self.broken_widgets()}")
        until(self.page, lambda: self.page.evaluate(PICTURES_ARE_THERE), "a picture in every explorer")

    def broken_widgets(self) -> list[str]:
        """What JupyterLab says in the place of a widget that it cannot show, where a reader sees it."""
        said = self.page.locator(".jp-OutputArea-output", has_text=re.compile("Error displaying widget|Loading widget|"
                                                                             "Error creating widget|Widget not found"))
        seen = [one.inner_text() for one in said.all() if one.is_visible()]  # a hidden one's inner text is its source
        return [text for text in seen if re.search("[Ww]idget", text)]

    def screenshot(self, name: str, locator=None) -> Path:
        """Photograph the page, or a part of it, as build/browser/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (locator or self.page).screenshot(path=str(SCREENSHOTS / f"{name}.png"))
        return SCREENSHOTS / f"{name}.png"

    def close(self) -> None:
        """End the kernels, so that they do not pile up over the tests."""
        self.page.evaluate(END_KERNELS)
        self.page.close()

    def explorers(self) -> list:
        """Every explorer on the page, from top to bottom."""
        return [Explorer(self.page, element) for element in self.page.locator(".vae-explorer").all()]


def _plain(traceback: list[str]) -> str:
    """A traceback without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
