"""Functions and classes of a notebook's cell, or of a file that no node could import, on their way into a node's process."""

from __future__ import annotations

import io
import os
import pathlib
import pickle
import struct
import sys
import sysconfig
from collections import ChainMap
from typing import Any, ClassVar

from ..errors import UsageError, error_text

__all__ = ["pickled"]


def pickled(value: Any, what: str, *parts: Any) -> bytes:
    """A value as bytes that hold its code, as far as it is the user's own: that of `parts`, or of the value. Errors: UsageError,
    which calls it `what`."""
    import cloudpickle

    named = {getattr(part, "__module__", None) or "" for part in parts or (value,)}
    modules = [module for module in map(sys.modules.get, sorted(named)) if module is not None and _is_own(module)]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        # of the class: that is where the pickler looks, once, when it is made
        dispatch_table: ClassVar[Any] = ChainMap({struct.Struct: _struct}, cloudpickle.Pickler.dispatch_table)

    out = io.BytesIO()
    try:
        Pickler(out).dump(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{what} cannot be sent to another process: {error_text(error)}") from None
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return out.getvalue()


def _struct(value: struct.Struct) -> tuple[type[struct.Struct], tuple[str]]:
    """A compiled format is what many a framing keeps beside its class, and the one such thing that Python does not pickle."""
    return struct.Struct, (value.format,)


def _is_own(module: Any) -> bool:
    """Whether a module is a file of the user's own, which another process could not import."""
    file = getattr(module, "__file__", None)
    if file and os.path.dirname(file) in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return False
    installed = [sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")]
    installed.append(str(pathlib.Path(__file__).parents[1]))
    return module.__name__ != "__main__" and bool(file) and not str(file).startswith(tuple(filter(None, installed)))
