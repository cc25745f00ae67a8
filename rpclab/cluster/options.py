"""How a function from a notebook gets into the manager's process: pickled by value into a file that only this user can write."""

from __future__ import annotations

import pathlib
import pickle
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

from ..errors import UsageError

__all__ = ["placement_options"]


def placement_options(placement: str | Callable[..., Any], folder: pathlib.Path) -> list[str]:
    """The manager's options for a placement policy, by name or as a function. Raises UsageError if it can't be sent."""
    if isinstance(placement, str):
        return ["--placement", placement]
    import cloudpickle

    module = sys.modules.get(getattr(placement, "__module__", "") or "")
    by_value = module is not None and _is_students(module)
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        code = cloudpickle.dumps(placement)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(f"this placement function cannot be sent to the manager's process: {error}") from None
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)
    path = folder / "placement.pickle"
    path.write_bytes(code)
    return ["--placement-file", str(path)]


def _is_students(module: Any) -> bool:
    """Whether a module is a file of the student's own, which the manager's process could not import."""
    file = getattr(module, "__file__", None)
    installed = [sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")] + [
        str(pathlib.Path(__file__).parents[1])
    ]
    return (
        module.__name__ != "__main__"
        and file is not None
        and not any(file.startswith(place) for place in installed if place)
    )
