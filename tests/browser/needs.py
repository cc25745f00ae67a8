"""What the browser's tests need of the machine, where it is, and how to get it."""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import shutil
import sys

__all__ = ["axe", "chromium", "missing"]

AXE = pathlib.Path(__file__).parents[2] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
PACKAGES = ("playwright", "jupyterlab", "notebook", "voila")
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


@functools.cache
def chromium() -> str | None:
    """A browser of Chromium's kind: $RPCLAB_CHROMIUM, one that is installed, or the one that Playwright has fetched."""
    found = [os.environ.get("RPCLAB_CHROMIUM"), *map(shutil.which, COMMANDS), *filter(os.path.exists, ELSEWHERE)]
    return next(filter(None, found), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    folder = {"darwin": "~/Library/Caches/ms-playwright", "win32": "~/AppData/Local/ms-playwright"}
    place = pathlib.Path(folder.get(sys.platform, "~/.cache/ms-playwright")).expanduser()
    for pattern in ("chromium-*/*/chrome", "chromium-*/*/*.app/Contents/MacOS/*", "chromium-*/*/chrome.exe"):
        for path in sorted(place.glob(pattern), reverse=True):
            return str(path)
    return None


def missing() -> str | None:
    """What is missing to test in a browser, and how to get it; None when all is there."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        return f"not tested in a browser: Python has no {', '.join(absent)}; `make browser` installs what it takes"
    if chromium() is None:
        return (
            "not tested in a browser: no Chromium found; install the package chromium (Debian, Fedora) or Google Chrome, "
            "or run `.venv/bin/python -m playwright install chromium`, or name yours in RPCLAB_CHROMIUM"
        )
    return None


def axe() -> pathlib.Path | None:
    """axe-core's file, which finds what is not accessible in a page; None where npm has not fetched it."""
    return AXE if AXE.is_file() else None
