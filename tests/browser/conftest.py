"""Chromium, and the report in it: as a page of its own, and as Kubeflow Pipelines frames it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, sync_playwright

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


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


@pytest.fixture
def show(browser: Browser) -> Iterator[Open]:
    """Open a report.html "full", 1280 wide, or "framed" in KFP's sandbox of 480 x 600 pixels."""
    contexts = []

    def open_(path: Path, how: str = "full", scheme: Any = "light") -> Opened:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        opened = Opened(page=page, frame=page.main_frame)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        if how == "full":
            page.goto(path.as_uri())
        else:
            page.evaluate(FRAME, path.read_text())
            page.wait_for_function("document.querySelector('iframe')")
            opened.frame = page.frames[1]
        opened.frame.wait_for_selector("#figures figure .main-svg, #list .sample")
        return opened

    yield open_
    for context in contexts:
        context.close()
