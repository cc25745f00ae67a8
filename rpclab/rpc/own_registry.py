"""Somebody else's registry and stub in place of ours: their table finds the function, their object sends the call.

    class Registry:
        def register(self, function, name=None): ...       # peers may call it, by its own name or another
        def register_instance(self, instance): ...         # and the public methods of an object
        def call(self, name, args, kwargs): ...            # what the function returns; LookupError for a name that is not there
        def names(self): ...                               # what may be called

    class Stub:
        def __init__(self, send): ...                      # send(name, args, kwargs) -> the peer's answer
        def __getattr__(self, name): ...                   # stub.getServer(...) -> send("getServer", [...], {...})

The types of arguments are still checked by ours, behind their table.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from msgspec import UNSET, UnsetType

from ..errors import MethodNotFound, RpclabError, error_text
from ..own import Own
from .registry import Call, Method, Registry
from .stub import Caller, Stub

__all__ = ["registry_of", "stub_of"]


def registry_of(own: Own) -> Registry:
    """A node's table of remote methods."""
    return Registry() if own.registry is None else _OwnRegistry(own.registry())


def stub_of(own: Own, caller: Caller, peer: str) -> Any:
    """A stub of a peer."""
    ours = Stub(caller, peer)
    if own.stub is None:
        return ours
    return own.stub(lambda name, args, kwargs: getattr(ours, name)(*args, **kwargs))


class _OwnRegistry(Registry):
    """Ours is beside theirs, for what their interface does not say: signatures, and what only reads."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self._theirs = theirs
        self._call: ContextVar[Call] = ContextVar("call")  # of the task that is answering

    def register_method(
        self, function: Callable[..., Any], name: str | None = None, *, with_call: bool = False, reads: bool = False
    ) -> Callable[..., Any]:
        super().register_method(function, name, with_call=with_call, reads=reads)
        name = name or str(function.__name__)
        self._theirs.register(self._running(self._methods[name]), name)
        return function

    def take_over(self, other: Registry, name: str) -> None:
        super().take_over(other, name)
        self._theirs.register(self._running(self._methods[name]), name)

    def _running(self, method: Method) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            return method.run(self._call.get(), list(args), kwargs)

        run.__name__, run.__doc__ = method.name, method.doc
        run.__signature__ = method.signature  # type: ignore[attr-defined]
        return run

    def invoke(
        self,
        call: Call,
        name: str,
        params: list[Any] | dict[str, Any] | UnsetType = UNSET,
        named: dict[str, Any] | None = None,
    ) -> Any:
        if name == "rpc.describe":
            return self.describe()
        args = [] if isinstance(params, dict | UnsetType) else params
        kwargs = {**(params if isinstance(params, dict) else {}), **(named or {})}
        self._call.set(call)
        try:
            return self._theirs.call(name, args, kwargs)
        except LookupError as error:
            if isinstance(error, RpclabError) or name in self._methods:
                raise
            raise MethodNotFound(error_text(error)) from None
