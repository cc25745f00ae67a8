"""What the tests in a real browser share. Where there is no browser they are skipped, with what to install; not if
RPCLAB_BROWSER=required is set, as it is in CI."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import jupyter, needs, pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REQUIRED = os.environ.get("RPCLAB_BROWSER") == "required"


def skip(reason: str) -> None:
    """Skip the test; fail it where CI has to have all of it."""
    if REQUIRED:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser: for a module, not the session, because Playwright keeps an event loop in this thread meanwhile."""
    reason = needs.missing()
    if reason is not None:
        skip(reason)
    with pages.browser() as running:
        yield running


@pytest.fixture(scope="module")
def lab(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[jupyter.JupyterServer]:
    """JupyterLab over a copy of the notebooks and the sample files."""
    with jupyter.serve("lab", jupyter.lay_out(tmp_path_factory.mktemp("lab") / "work")) as server:
        yield server


@pytest.fixture(scope="module")
def notebook7(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[jupyter.JupyterServer]:
    """Notebook 7, likewise."""
    with jupyter.serve("notebook", jupyter.lay_out(tmp_path_factory.mktemp("notebook7") / "work")) as server:
        yield server


@pytest.fixture
def axe() -> pathlib.Path:
    found = needs.axe()
    if found is None:
        skip("accessibility not tested: no axe-core; `make browser` fetches it, where npm is installed")
    assert found is not None
    return found
