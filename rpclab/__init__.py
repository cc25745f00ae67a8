"""rpclab: a real, small distributed system, a backup over remote procedure calls, to see, break and build.

>>> from rpclab import LocalCluster
>>> with LocalCluster(servers=3, clients=2, ports="free") as cluster:       # doctest: +SKIP
...     cluster.backup_all()

Names are loaded when they are first used, so that a node's process starts in tens of milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import errors
from .errors import RpclabError

if TYPE_CHECKING:
    from .client.session import Client
    from .cluster.local import LocalCluster
    from .cluster.playground import playground
    from .cluster.simulated import SimCluster
    from .rpc.plan import Rule
    from .study.history import History

__all__ = [
    "Client",
    "History",
    "LocalCluster",
    "RpclabError",
    "Rule",
    "SimCluster",
    "__version__",
    "errors",
    "playground",
]

__version__ = "0.1.0"

_HOMES = {
    "Client": ".client.session",
    "History": ".study.history",
    "LocalCluster": ".cluster.local",
    "Rule": ".rpc.plan",
    "SimCluster": ".cluster.simulated",
    "playground": ".cluster.playground",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"rpclab has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
