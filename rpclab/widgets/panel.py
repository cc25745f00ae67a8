"""What every widget here is: one element drawn by our own script, its state in traits, what the person does as messages.

1. Callbacks of the front end may come on any thread. They only look a message's verb up and hand over to a worker.
2. What is shown is changed under `self._lock`, and sent at most ten times a second, but for what ends something.
3. One widget of a kind for a cluster: making it again, as a cell that is run again does, closes the one before.
4. A page without widgets still says something: `text/html` and `text/plain` are sent along.
"""

from __future__ import annotations

import html
import threading
import traceback
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from ..errors import RpclabError

__all__ = ["UPDATE_S", "Panel", "script", "sentence", "style"]

UPDATE_S = 0.1  # between two updates of what changes all the time: JupyterLab draws ten a second with ease
_HERE = Path(__file__).parent
_open: dict[tuple[str, str], Panel] = {}
_open_lock = threading.Lock()  # guards _open


def script(*names: str) -> str:
    """A widget's script, behind what all of them share: a module that a notebook loads cannot import its neighbours."""
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("elements", *names))


def style(*more: str) -> str:
    """What all widgets look like, and what one of them has of its own."""
    return "\n".join((_HERE / f"{part}.css").read_text(encoding="utf-8") for part in ("panel", *more))


def sentence(error: BaseException) -> dict[str, str]:
    """An error as a widget shows it: what happened, and the traceback for who unfolds it."""
    known = isinstance(error, RpclabError)
    text = str(error) if known else f"a fault in rpclab itself, please report it: {type(error).__name__}: {error}"
    return {"text": text, "traceback": "".join(traceback.format_exception(error))}


class Panel(anywidget.AnyWidget):
    """The base of all widgets. `_verbs` names the methods that a message of the front end may call, by its `op`."""

    _esm = ""
    _css = ""
    _verbs: ClassVar[dict[str, str]] = {}
    cluster_name = traitlets.Unicode("").tag(sync=True)

    def __init__(self, cluster: Any, **traits: Any) -> None:
        self._lock = threading.RLock()  # guards what is shown
        self._closing = False
        self._cluster: Any = cluster
        self._key = (type(self).__name__, _identity(cluster))
        with _open_lock:
            earlier = _open.pop(self._key, None)
        if earlier is not None:
            earlier.close()
        super().__init__(cluster_name=getattr(cluster, "name", "simulated"), **traits)
        with _open_lock:
            _open[self._key] = self
        self.on_msg(self._message)
        self.add_class("rpclab-panel")

    def _message(self, _: Any, message: Any, buffers: list[Any]) -> None:
        verb = self._verbs.get(message.get("op", "")) if isinstance(message, dict) else None
        if verb is None or self._closing:
            return
        named = {key: value for key, value in message.items() if key != "op"}
        getattr(self, verb)(*buffers, **named)

    def close(self) -> None:
        """End it: its threads, its connections, its place on the page. The cluster goes on. May be called twice."""
        if self._closing:
            return
        self._closing = True
        with _open_lock:
            if _open.get(self._key) is self:
                del _open[self._key]
        self._end()
        self._cluster = None
        self.on_msg(self._message, remove=True)
        super().close()

    def _end(self) -> None:
        """What a widget of this kind has to end."""

    # ---- where there are no widgets

    def _words(self) -> str:
        """What it shows, in words."""
        raise NotImplementedError

    def _html(self) -> str:
        return f"<pre>{html.escape(self._words())}</pre>"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, closed>" if self._closing else self._words()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = {"text/plain": repr(self), "text/html": "" if self._closing else self._html()}
        found = super()._repr_mimebundle_(**kwargs)
        if self._closing or found is None:
            return shown, {}
        data, metadata = found
        return {**data, **shown}, metadata


def _identity(cluster: Any) -> str:
    """What tells one cluster from another, and not its objects: a cell that is run again makes a new object for the same one."""
    return str(getattr(cluster, "folder", id(cluster)))
