"""The stage and the steps of a simulated cluster: in virtual time, and each a verb of the script."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..rpc.stage import Stage
from ..trace import Tracer
from ..world.simulated import SimulatedWorld
from .script import verbs
from .stage import Direction
from .stepping import Operation
from .travel import Travel

__all__ = ["SimDirection", "SimStepping"]


@verbs("hold", "release", "plan")
class SimDirection(Direction):
    """A simulated cluster's stage."""

    _place = ("stage",)

    def __init__(self, cluster: SimStepping, world: SimulatedWorld) -> None:
        super().__init__(world)
        self._of = weakref.ref(cluster)  # nodes that wait for it must not keep the cluster in existence

    @property
    def _cluster(self) -> SimStepping | None:
        return self._of()


@verbs("result")
class _SimOperation(Operation):
    def __init__(self, cluster: SimStepping, number: str, function: Callable[[], Any]) -> None:
        super().__init__(function, cluster.stage.ended)
        self._cluster, self._place = cluster, ("operations", number)


class SimStepping(Travel):
    """What a simulated cluster has of it."""

    stage: SimDirection
    operations: dict[str, Operation]
    """What was begun, by its number."""
    _trace: bool | str
    _quiet_s = 0.05  # of virtual time: a hundred times what a message takes, or a disk

    def _staging(self) -> Callable[[SimulatedWorld, Tracer], Stage]:
        """What makes the stage of a node's next life."""
        direction, texts = self.stage, self._trace == "messages"

        def staged(world: SimulatedWorld, tracer: Tracer) -> Stage:
            stage = Stage(world, tracer, lambda message: direction.ask(world, message))
            direction.joined(stage)
            tracer.texts = texts
            return stage

        return staged

    def _carry_out(self, function: Callable[[], Any]) -> Operation:
        number = str(len(self.operations) + 1)
        operation = self.operations[number] = _SimOperation(self, number, function)
        task = self.simulation.begin(operation.carry_out, self.simulation.outside, operation.name)
        operation.wait = lambda: self.simulation.wait_for(task)
        return operation

    def _go_on(self, since: int) -> None:
        self.simulation.run(lambda: self.stage.wait(since, self._quiet_s))
