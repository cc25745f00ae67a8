"""A node of one's own, in this process: functions of a notebook that others in the cluster call by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..config import DEFAULT_HOST, Limits, address_text
from ..rpc.handshake import Identity
from ..rpc.listener import Listener
from ..rpc.registry import Registry
from ..trace import Tracer
from ..world.base import World

__all__ = ["OwnNode"]


class OwnNode:
    """Serves functions until `stop`. It keeps no files, so the manager knows nothing of it: it is found by its `address`.

    More functions can be registered at its `registry` at any time; `said` is what it would print, line by line.
    """

    def __init__(
        self,
        world: World,
        identity: Identity,
        functions: Iterable[Callable[..., Any]],
        *,
        tracer: Tracer,
        limits: Limits | None = None,
    ) -> None:
        self.name = identity.node
        self.registry = Registry()
        for function in functions:
            self.registry.register_method(function)
        self.said: list[str] = []
        self._listener = Listener(
            world, self.registry, identity, tracer, limits=limits, say=self.said.append, show_messages=True
        )
        self.address = self._listener.start((DEFAULT_HOST, 0))

    def stop(self) -> None:
        """Take no more calls. May be called twice."""
        self._listener.stop()

    def __enter__(self) -> OwnNode:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return (
            f"<node {self.name} at {address_text(self.address)}, with {', '.join(self.registry.names()) or 'nothing'}>"
        )
