"""The widgets as a person uses them: choosing a file, finding a node's row, waiting until a word is said."""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["choose", "has_phase", "has_word", "node"]

WITHIN_MS = 60_000


def choose(page: Page, path: pathlib.Path) -> Locator:
    """Choose a file in the browser's file chooser; returns its row in the uploader."""
    with page.expect_file_chooser() as chooser:
        page.locator(".rpclab-uploader .rpclab-choose").click()
    chooser.value.set_files(path)
    return page.locator(f".rpclab-uploader .rpclab-row[data-name='{path.name}']")


def has_phase(row: Locator, phase: str) -> None:
    """Wait until a file in the uploader is so far."""
    from playwright.sync_api import expect

    expect(row).to_have_attribute("data-phase", phase, timeout=WITHIN_MS)


def node(page: Page, name: str) -> Locator:
    """A node's row in the dashboard."""
    return page.locator(f".rpclab-dashboard .rpclab-node[data-name='{name}']")


def has_word(row: Locator, word: str) -> None:
    """Wait until the dashboard says this of a node."""
    from playwright.sync_api import expect

    expect(row).to_have_attribute("data-word", re.compile(word), timeout=WITHIN_MS)
