"""Going through a run message by message: what is under way, what it says, what each node knows, and where one has been.

1. A page's message only hands over: what is done to processes is done by a thread of the stepper's own, what is done to a
   simulated cluster by the event loop of the thread that made it, in which also the runs are made again that one goes back to.
2. Running on is a step at a time, each a job of its own, so that it can be stopped in both worlds.
3. What comes by itself (a message after its delay, an operation that gives up, a verb in another cell) is looked for four times
   a second, and becomes a place like any other.

CSS classes: rpclab-stepper; rpclab-where; rpclab-next, rpclab-back, rpclab-forward, rpclab-run, rpclab-target, rpclab-halt;
rpclab-drop-it, rpclab-duplicate, rpclab-delay with rpclab-delay-seconds, rpclab-corrupt with rpclab-byte and rpclab-value;
rpclab-node-choice, rpclab-kill, rpclab-restart, rpclab-pass with rpclab-pass-seconds, rpclab-hold, rpclab-release;
rpclab-messages, rpclab-message with data-id; rpclab-meaning, rpclab-json, rpclab-bytes; rpclab-picture; rpclab-cards,
rpclab-card with data-name, rpclab-fact with data-change; rpclab-way, rpclab-place with data-id; rpclab-status,
rpclab-problem, rpclab-traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import traitlets

from ..cluster.places import Target
from ..cluster.simulated_steps import steps
from ..cluster.steps import Steps
from ..errors import UsageError
from . import stepper_view as view
from .panel import Panel, script, sentence, style
from .work import worker

__all__ = ["Stepper"]

_LOOK_S = 0.25
_ACTIONS = ("deliver", "drop", "duplicate", "delay", "corrupt")


class Stepper(Panel):
    """A cluster stepped through by hand: `Stepper(cluster)` as the last line of a cell shows the messages that are held, each
    with what it says, and what every node knows.

    Hold messages and begin something first (`cluster.stage.hold()`, `cluster.begin(...)`), or give what is to be begun as
    `begin`: then every message is held if none is yet. `steps` is the same from code (`steps.next()`, `steps.back()`).
    Made anew for the same cluster it takes the earlier one's place; `close` ends it, and what is held stays held.
    """

    _esm = script("stepper_parts", "stepper")
    _css = style("stepper")
    _verbs: ClassVar[dict[str, str]] = {
        "act": "_act",
        "go": "_go",
        "jump": "_jump",
        "node": "_node",
        "run": "_run",
        "halt": "_halt",
        "pass": "_pass",
    }
    here = traitlets.Dict().tag(sync=True)
    messages: traitlets.List[Any] = traitlets.List().tag(sync=True)
    nodes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    way: traitlets.List[Any] = traitlets.List().tag(sync=True)
    targets: traitlets.List[Any] = traitlets.List().tag(sync=True)
    picture = traitlets.Unicode("").tag(sync=True)
    working = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Dict().tag(sync=True)

    def __init__(self, cluster: Any, begin: Callable[[], Any] | None = None) -> None:
        super().__init__(cluster)
        self.steps: Steps = steps(cluster)
        self._target: Target | None = None
        self._shown: Any = None
        self._looks = threading.Event()
        self._working = worker(cluster, "stepper-works")
        self.add_class("rpclab-stepper")
        if begin is not None:
            self.steps.begin(begin)
        self._show()
        self._looking: threading.Thread | None = None
        if self.steps.forks:
            self._look_between_cells()
        else:
            self._looking = threading.Thread(target=self._look_on, name="stepper-looks", daemon=True)
            self._looking.start()

    def _end(self) -> None:
        self._target = None
        self._looks.set()
        self._working.close()
        if self._looking is not None and self._looking is not threading.current_thread():
            self._looking.join(5.0)

    # ---- what the page asks for: each only hands over

    def _act(
        self,
        action: str,
        message: int | None = None,
        seconds: float = 0.0,
        byte: int | None = None,
        value: int | None = None,
    ) -> None:
        how: dict[str, Any] = {"seconds": seconds} if action == "delay" else {}
        if action == "corrupt":
            how = {"byte": byte, "value": value}
        self._do(_DOING.get(action, action), lambda: self._known(action)(message, how))

    def _known(self, action: str) -> Callable[..., object]:
        if action not in _ACTIONS:
            raise UsageError(f"there is no {action!r}: choose {', '.join(_ACTIONS)}")
        if action == "deliver":
            return lambda message, how: self.steps.next(message)
        return lambda message, how: self.steps.act(action, message, **how)  # type: ignore[arg-type]

    def _go(self, where: str) -> None:
        """back, forward, hold, release."""
        verbs: dict[str, Callable[[], object]] = {
            "back": self.steps.back,
            "forward": self.steps.forward,
            "hold": self.steps.hold,
            "release": self.steps.release,
        }
        if where in verbs:
            self._do(_DOING.get(where, "going on"), verbs[where])

    def _jump(self, place: int) -> None:
        self._do("going there", lambda: self.steps.jump(place))

    def _node(self, name: str, verb: str) -> None:
        verbs: dict[str, Callable[[str], object]] = {"kill": self.steps.kill, "restart": self.steps.restart}
        if verb in verbs:
            self._do(f"{verb}ing {name}", lambda: verbs[verb](name))

    def _pass(self, seconds: float) -> None:
        def pass_time() -> None:
            if not self.steps.forks:
                raise UsageError("the time of processes passes by itself")
            self.steps.pass_time(seconds)  # type: ignore[attr-defined]

        self._do("letting time pass", pass_time)

    def _run(self, target: str) -> None:
        what, _, name = target.partition(" ")
        with self._lock:
            self._target = Target(what, name)
        self._do("running on", self._run_on)

    def _halt(self) -> None:
        with self._lock:
            self._target = None

    def _run_on(self) -> None:
        target = self._target
        if target is None:
            return
        if self.steps.run_on(target):
            self._working.do(self._carry_out, self._run_on)
        else:
            self._target = None

    # ---- how it is done

    def _do(self, doing: str, deed: Callable[[], object]) -> None:
        """Have a worker do it, after what was asked for before."""
        with self._lock:
            self.working = doing
        self._working.do(self._carry_out, deed)

    def _carry_out(self, deed: Callable[[], object]) -> None:
        if self._closing:
            return
        problem: dict[str, str] = {}
        try:
            deed()
        except Exception as error:  # the outermost edge of this thread
            self._target = None
            problem = sentence(error)
        try:
            self._show(problem)
        except Exception as error:
            if not self._closing:
                self.problem = sentence(error)

    def _look_on(self) -> None:
        """The thread that looks, until the stepper is closed."""
        while not self._looks.wait(_LOOK_S):
            self._working.do(self._look)

    def _look_between_cells(self) -> None:
        loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):  # a script has none: it calls what it wants to see
            loop = asyncio.get_running_loop()
        if loop is None:
            return

        def look() -> None:
            if not self._closing:
                self._look()
                loop.call_later(_LOOK_S, look)

        loop.call_later(_LOOK_S, look)

    def _look(self) -> None:
        if self._closing:
            return
        try:
            if self._target is None and self.steps.look_again():
                self._shown = None  # also a place that was shown already may tell more
                self._show(self.problem)
        except Exception as error:  # the outermost edge: the next look may succeed
            if not self._closing:
                self.problem = sentence(error)

    def _show(self, problem: dict[str, str] | None = None) -> None:
        """Send what differs: a trait that is set to what it was is not sent."""
        at, cluster = self.steps.here, self.steps.cluster
        moved = self._shown is not at
        history = self.steps.history() if moved else None
        with self._lock:
            if self._closing:
                return
            self._shown = at
            with self.hold_trait_notifications():
                self.messages = [view.message_row(message) for message in at.messages]
                self.nodes = [view.node_card(at, node, _role(cluster, node)) for node in at.found]
                self.way, self.here = view.way(self.steps), view.here(self.steps)
                if history is not None:
                    self.targets, self.picture = view.targets(at, history), view.picture(self.steps.root, history)
                self.problem = problem or {}
                self.working = "running on" if self._target is not None else ""
                self.status = self._said()

    def _said(self) -> str:
        """Where one stands, in a sentence."""
        at = self.steps.here
        held = len(at.messages)
        said = f"Step {at.depth}: {at.words}. "
        said += f"{held} message{'s' * (held != 1)} under way" if held else "No message is held"
        if at.operations:
            said += f"; {at.operations[-1]}"
        changed = {line.partition(":")[0] for line in view.facts_of(at, list(at.found))}
        return said + (f". Changed: {', '.join(node for node in at.found if node in changed)}." if changed else ".")

    # ---- where there are no widgets

    def _words(self) -> str:
        at = self.steps.here
        lines = [f"Stepper for the cluster {self.cluster_name}: {self._said()}"]
        lines += [f"  {message.id}: {message.meaning}" for message in at.messages]
        return "\n".join([*lines, *(f"  {line}" for line in view.facts_of(at, list(at.found)))])

    def _html(self) -> str:
        note = (
            "This page shows no widgets: run the notebook in JupyterLab, or step with <code>cluster.step()</code> and look with "
            "<code>cluster.messages()</code>."
        )
        return f"<pre>{html.escape(self._words())}</pre><p>{note}</p>"


_DOING = {"deliver": "delivering", "drop": "dropping", "back": "going back", "release": "releasing"}


def _role(cluster: Any, node: str) -> str:
    return "manager" if node == "manager" else "server" if node in cluster.servers else "client"
