"""One connection and a peer at its other end, in virtual time, for the checks of lab 3: it sees who sends and receives when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...rpc.own_connection import PlainTasks
from ...world.base import Task, World
from ...world.simulated import Simulation
from ..lab import Broken

__all__ = ["ENDED", "Line"]

ENDED = ConnectionResetError("the peer is gone")
_STEP_S = 0.001


class Line:
    """`run` calls of several tasks over one SharedConnection; `peer` is told each request and gives answers with `answer`."""

    def __init__(self, seed: int, shared: Callable[..., Any], peer: Callable[[Line, dict[str, Any]], None]) -> None:
        self.simulation = Simulation(seed)
        self.world = self.simulation.world("client1", self.simulation.disk("client1"))
        self.sent: list[dict[str, Any]] = []
        self.heard: list[Any] = []
        """The ids of the answers that were taken, in order."""
        self.ended = False
        self._peer = peer
        self._changed = self.world.tasks.condition()  # guards _answers, told when one comes and at the end
        self._answers: list[dict[str, Any]] = []
        self._sending = self._receiving = False
        self.died: Exception | None = None
        """What a task raised that the student's code has spawned, unless it was the connection's end."""
        tasks = _Tasks(self.world, self._watched)
        made = self._inside(lambda: shared(self._send, self._receive, tasks, self.world.clock.now))
        self.shared = made

    def _inside(self, function: Callable[[], object]) -> Any:
        return self.simulation.run(function, self.world.life, "client1-works")

    def _watched(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:
            if error is not ENDED and error.__cause__ is not ENDED and error.__context__ is not ENDED:
                self.died = error
            raise

    # ---- what the student's code is given

    def _send(self, message: dict[str, Any]) -> None:
        if not isinstance(message, dict) or not {"id", "method", "params"} <= message.keys():
            raise Broken("message", f"send was given {message!r:.80}")
        if self._sending:
            raise Broken("two-sends", "two tasks were in send at once: their bytes would be mixed")
        self._sending = True
        try:
            self.world.clock.sleep(_STEP_S)  # as a system may: others run meanwhile
            if self.ended:
                raise ENDED
            self.sent.append(dict(message))
            self._peer(self, message)
        finally:
            self._sending = False

    def _receive(self) -> dict[str, Any]:
        if self._receiving:
            raise Broken("two-receives", "two tasks were in receive at once: each would get some of the other's bytes")
        self._receiving = True
        try:
            with self._changed:
                while not self._answers and not self.ended:
                    self._changed.wait()
            self.world.clock.sleep(_STEP_S)
            if not self._answers:
                raise ENDED
            answer = self._answers.pop(0)
            self.heard.append(answer["id"])
            return answer
        finally:
            self._receiving = False

    # ---- what the peer does

    def answer(self, message: dict[str, Any], after_s: float = 0.0, error: Exception | None = None) -> None:
        """Answer a request: its result names its arguments, so that a caller can tell its own."""
        content = {"result": ["done", message["params"]]} if error is None else {"error": error}
        self.simulation.scheduler.at(self.simulation.now + after_s, self._arrive, {"id": message["id"], **content})

    def end(self, after_s: float = 0.0) -> None:
        """The connection ends."""
        self.simulation.scheduler.at(self.simulation.now + after_s, self._arrive, None)

    def _arrive(self, answer: dict[str, Any] | None) -> None:
        self.world.tasks.spawn(lambda: self._put(answer), "line")

    def _put(self, answer: dict[str, Any] | None) -> None:
        with self._changed:
            if answer is None:
                self.ended = True
            else:
                self._answers.append(answer)
            self._changed.notify_all()

    # ---- what the callers do

    def run(self, *calls: tuple[str, Any, float], apart_s: float = 0.0) -> list[Call]:
        """Make these calls (method, params, deadline), each in a task of its own, and wait for all, a minute at most."""

        def all_of_them() -> list[Call]:
            made = []
            for method, params, deadline_s in calls:
                call = Call(self, method, params, deadline_s)
                call.task = self.world.tasks.spawn(call.run, f"calls-{params}")
                made.append(call)
                if apart_s:
                    self.world.clock.sleep(apart_s)
            until = self.world.clock.now() + 60
            for call in made:
                call.task.join(max(0.0, until - self.world.clock.now()))
            return made

        found: list[Call] = self._inside(all_of_them)
        for call in found:
            if isinstance(call.error, Broken):
                raise call.error
        return found


class _Tasks(PlainTasks):
    """What the student's code spawns is watched."""

    def __init__(self, world: World, watched: Callable[[Callable[[], object]], None]) -> None:
        super().__init__(world)
        self._watched = watched

    def spawn(self, function: Callable[[], object], name: str = "own") -> Task:
        return super().spawn(lambda: self._watched(function), name)


class Call:
    """One call, and what came of it: `result`, or `error`; `took` seconds, None if it never returned."""

    task: Any

    def __init__(self, line: Line, method: str, params: Any, deadline_s: float) -> None:
        self._line, self.method, self.params, self.deadline_s = line, method, params, deadline_s
        self.result: Any = None
        self.error: BaseException | None = None
        self.took: float | None = None

    def run(self) -> None:
        now = self._line.world.clock.now
        began = now()
        try:
            self.result = self._line.shared.call(self.method, self.params, self.deadline_s)
        except (Exception, Broken) as error:  # what the student's code raises is looked at by the check
            self.error = error
        self.took = now() - began

    @property
    def own(self) -> bool:
        """Whether it got its own answer."""
        return self.error is None and self.result == ["done", self.params]

    def __str__(self) -> str:
        came = f"got {self.result!r}" if self.error is None else f"raised {self.error!r}"
        return f"call({self.method!r}, {self.params!r}) {'never returned' if self.took is None else came}"
