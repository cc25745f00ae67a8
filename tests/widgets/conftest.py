"""A widget's other side: what a browser's page would send and hear, over the widget's own comm."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm


class Wire(BaseComm):
    """A comm that keeps what the kernel sends."""

    def __init__(self, **options: Any) -> None:
        self.sent: list[tuple[dict[str, Any], list[Any]]] = []
        super().__init__(**options)

    def publish_msg(self, msg_type: str, data: Any = None, buffers: Any = None, **keys: Any) -> None:
        if msg_type == "comm_msg":
            self.sent.append((data, list(buffers or [])))


class Page:
    """Plays the page of one widget. `rows` and other traits are read as the page would have them."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget

    def send(self, *buffers: bytes, **content: Any) -> None:
        """A message of the page's script."""
        data = {"method": "custom", "content": content}
        message = {"content": {"data": data}, "buffers": [memoryview(each) for each in buffers]}
        self.widget._handle_msg(message)

    def choose(self, **traits: Any) -> None:
        """What a select on the page does."""
        self.widget._handle_msg({"content": {"data": {"method": "update", "state": traits}}, "buffers": []})

    def heard(self, op: str) -> list[dict[str, Any]]:
        """The messages of this kind that the script was sent."""
        return [
            data["content"]
            for data, _ in list(self.widget.comm.sent)
            if data["method"] == "custom" and data["content"]["op"] == op
        ]

    def updates(self, trait: str) -> list[Any]:
        """What the page was told of a trait, in order."""
        sent = [data["state"] for data, _ in list(self.widget.comm.sent) if data["method"] == "update"]
        return [state[trait] for state in sent if trait in state]


@pytest.fixture(autouse=True)
def wires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", lambda **options: Wire(**options))


@pytest.fixture
def page() -> Iterator[Callable[[Any], Page]]:
    """Open a page for a widget, which is closed at the end."""
    widgets: list[Any] = []

    def opened(widget: Any) -> Page:
        widgets.append(widget)
        return Page(widget)

    yield opened
    for widget in widgets:
        widget.close()
    left = [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("uploader-", "dashboard-", "stepper-"))
    ]
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def fill() -> Callable[..., pathlib.Path]:
    """Put a file into a client's folder."""

    def put(folder: pathlib.Path, name: str, contents: bytes) -> pathlib.Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
        return path

    return put
