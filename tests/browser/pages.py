"""A notebook's page in the browser, as a person uses it: open, run, wait, look; and what the page complained about meanwhile."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .jupyter import PROJECT, JupyterServer
from .needs import axe, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["NotebookPage", "accessibility", "browser", "shoot", "watched"]

PICTURES = PROJECT / "out" / "browser"
WITHIN_MS = 60_000  # on a loaded machine; what works is there much sooner
OPENS_WITHIN_MS = 90_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
KNOWN = (  # what Jupyter itself complains about, whatever a notebook shows
    r"Failed to load resource: net::ERR_FAILED",  # an address outside, which the tests refuse to ask
    r"Cannot read properties of undefined \(reading 'schema'\)",  # Notebook's shortcuts, at a setting it has not read yet
    r"(?s)shared module is not a function.*@jupyter-notebook/lab-extension",  # Voilà loads an extension made for Lab
    r"(?s)Plugin '\S+' failed to activate\. TypeError: No provider for: @jupyterlab/",  # likewise, any that needs a part of Lab
    r"(?s)Shared module \S+ doesn't exist in shared scope.*/voila/labextensions/",  # likewise, nbgrader's
    r"403 \(Forbidden\) \(\S+/voila/api/shutdown/",  # Voilà's farewell to its kernel, which ends two minutes later all the same
    r"widget model not found",  # Voilà on a busy machine: rpclab's page loads itself again then
)
READY = """async () => {
    const context = jupyterapp.shell.currentWidget.context.sessionContext;
    const late = new Promise((_, no) => setTimeout(() => no(new Error("no kernel within 90 s")), 90000));
    await Promise.race([late, context.ready.then(() => context.session.kernel.info)]);
}"""
ALL_NUMBERED = r"""() => {
    const cells = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")];
    return cells.length && cells.every(cell => /^\[\d+\]:$/.test(cell.querySelector(".jp-InputPrompt").textContent.trim()));
}"""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield running
        finally:
            running.close()


@contextlib.contextmanager
def watched(running: Browser, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page that can reach this machine only, and the errors in its console, but those known."""
    context = running.new_context(viewport={"width": 1400, "height": 1000}, **options)
    context.set_default_timeout(WITHIN_MS)
    context.route(re.compile(r"^https?://(?!127\.0\.0\.1|localhost)"), lambda route: route.abort())
    page = context.new_page()
    errors: list[str] = []

    def note(text: str) -> None:
        if not any(re.search(known, text) for known in KNOWN):
            errors.append(text[:500])

    page.on("pageerror", lambda error: note(f"{error}\n{error.stack}"))
    page.on("console", lambda said: note(f"{said.text} ({said.location['url']})") if said.type == "error" else None)
    try:
        yield page, errors
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong is told anyway; a picture of it is more
            page.screenshot(path=PICTURES / f"failed-{page.title()[:40].replace('/', '-')}.png", timeout=5_000)
        raise
    finally:
        context.close()


class NotebookPage:
    """A notebook open in JupyterLab, Notebook 7 or Voilà."""

    def __init__(self, server: JupyterServer, page: Page, errors: list[str]) -> None:
        self.server, self.page, self.errors = server, page, errors

    def open(self, notebook: str) -> None:
        """Open a notebook and wait until its kernel answers. That the page says "idle" is not enough."""
        self.page.goto(self.server.page(notebook), timeout=OPENS_WITHIN_MS)
        if self.server.kind == "voila":
            return
        if self.server.kind == "lab":
            self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=OPENS_WITHIN_MS)
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for(timeout=OPENS_WITHIN_MS)
        self.page.wait_for_function(
            "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext", timeout=OPENS_WITHIN_MS
        )
        self.page.evaluate(READY)

    def menu(self, menu: str, item: str) -> None:
        """Choose an item of a menu of the bar; in an item's name keys may follow what it does."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=re.compile(f"^{re.escape(item)}")).first.click()

    def darken(self, dark: bool = True) -> None:
        """Change JupyterLab's theme."""
        theme = f"JupyterLab {'Dark' if dark else 'Light'}"
        self.page.evaluate("theme => { jupyterapp.commands.execute('apputils:change-theme', {theme}); }", theme)
        self.page.locator(f"body[data-jp-theme-light='{str(not dark).lower()}']").wait_for(state="attached")

    def run_all(self, within_ms: int = 120_000) -> None:
        """Run all cells from the menu, and wait until each has its number."""
        self.menu("Run", "Run All Cells")
        self.page.wait_for_function(ALL_NUMBERED, timeout=within_ms)

    def cell(self, number: int) -> Locator:
        """The code cell of this number, from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def start(self, number: int) -> None:
        """Run one cell by the keyboard, and don't wait for it."""
        self.cell(number).locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int) -> str:
        """Run one cell, wait until it is done, and return the text of the last thing it put out."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        prompt.evaluate("prompt => prompt.textContent = ''")  # an earlier run's number is not this one's
        self.start(number)
        self.page.wait_for_function(
            r"prompt => /^\[\d+\]:$/.test(prompt.textContent.trim())", arg=prompt.element_handle()
        )
        return self.output(number).locator(".jp-OutputArea-output").last.inner_text()

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputWrapper")

    def tracebacks(self) -> list[str]:
        """The errors that cells ended with."""
        return self.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()

    def pictures(self) -> list[int]:
        """The width, in pixels, of each picture that cells have put out; 0 is one that is not shown."""
        images = self.page.locator(".jp-OutputArea-output img")
        return [int(image.evaluate("image => image.naturalWidth")) for image in images.all()]

    def shoot(self, name: str) -> None:
        """Keep a picture of the page as out/browser/NAME.png."""
        shoot(self.page, name)

    def assert_quiet(self) -> None:
        """The console has no error but the known ones."""
        said, self.errors[:] = list(self.errors), []
        assert not said, "the browser's console:\n" + "\n".join(said)


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep a picture of a page as out/browser/NAME.png."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


def accessibility(page: Page, *selectors: str) -> list[str]:
    """What axe-core finds wrong within these parts of the page, a line a finding."""
    script = axe()
    assert script is not None
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("chosen => axe.run({include: chosen.map(each => [each])})", list(selectors))
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n    {node['html'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
