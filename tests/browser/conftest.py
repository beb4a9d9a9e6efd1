"""Chromium, and the report in it: as a page of its own, and as Kubeflow Pipelines frames it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from assay.report import report
from tests.needs import need

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DATA = Path(__file__).parents[1] / "data" / "run"
FRAME = """html => {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.width = 480;
  frame.height = 600;
  frame.srcdoc = html;
  document.body.replaceChildren(frame);
}"""


@dataclass
class Opened:
    """A report that is shown, and all that it said to the console or asked of the network."""

    page: Page
    frame: Frame
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check_layout(self) -> None:
        """Nothing is wider than the page, no card is cut off, and the console is silent."""
        width, seen = self.frame.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert width <= seen
        cut = self.frame.evaluate(
            """[...document.querySelectorAll('.card')]
              .filter(card => card.scrollWidth > card.clientWidth + 1)
              .map(card => card.innerText)"""
        )
        assert cut == []
        assert self.complaints == []


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: while Playwright's own event loop runs in this thread, no other
    test could run one."""
    chromium = shutil.which("chromium")
    need(chromium is not None, "needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, to look at."""
    folder = shutil.copytree(DATA, tmp_path_factory.mktemp("shown") / "run")
    report(folder)
    return folder / "report.html"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


@pytest.fixture(scope="module")
def pages(browser: Browser) -> list[Page]:
    """The page that all tests of a module open their reports in, once there is one: the report's
    5 MB of scripts are compiled again in each new page."""
    return []


@pytest.fixture
def page(browser: Browser, pages: list[Page]) -> Page:
    """An empty page, as new as the first."""
    if not pages or pages[0].is_closed():
        pages[:] = [browser.new_page(reduced_motion="reduce")]
    pages[0].goto("about:blank")
    pages[0].set_viewport_size({"width": 1280, "height": 900})
    return pages[0]


@pytest.fixture
def show(page: Page) -> Iterator[Open]:
    """Open a report.html "full", 1280 wide, or "framed" in KFP's sandbox of 480 x 600 pixels; the
    one that was open is closed."""
    listeners: list[tuple[Any, Any]] = []

    def open_(path: Path, how: str = "full", scheme: Any = "light") -> Opened:
        page.goto("about:blank")
        page.emulate_media(media="null", color_scheme=scheme, reduced_motion="reduce")
        opened = Opened(page=page, frame=page.main_frame)
        heard: dict[Any, Callable[[Any], None]] = {
            "console": lambda message: opened.complaints.append(message.text),
            "pageerror": lambda error: opened.complaints.append(str(error)),
            "request": lambda request: opened.requests.append(request.url),
        }
        listeners.extend(heard.items())
        for event, listener in heard.items():
            page.on(event, listener)
        if how == "full":
            page.goto(path.as_uri())
        else:
            page.evaluate(FRAME, path.read_text())
            page.wait_for_function("document.querySelector('iframe')")
            opened.frame = page.frames[1]
        opened.frame.wait_for_selector("#figures figure .main-svg, #list .sample")
        return opened

    yield open_
    for event, listener in listeners:
        page.remove_listener(event, listener)
