"""Every experiment by name: a published result made again, beside its formula. Needs numpy: `pip install "rpclab[study]"`.

    from rpclab import plots
    from rpclab.study.experiments import EXPERIMENTS

    outcome = EXPERIMENTS["balls"](seed=1)
    print(outcome)  # simulated, published, by the formula
    plots.plot_experiment(outcome)

The same seed gives the same numbers (but for `nagle` and `manager-load`, which measure real sockets and the manager's own
code). In a terminal: `rpclab experiments`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

try:
    import numpy  # noqa: F401 - asked for here, so that its absence is said in one line
except ModuleNotFoundError:
    raise ImportError('experiments need numpy, which is not installed: pip install "rpclab[study]"') from None

from .experiments_balance import balls_into_bins, exact_knowledge, heavily_loaded, old_reports, ten_million
from .experiments_copies import copysets_lost, lock_in, rendezvous_moves, two_dead
from .experiments_durability import loss_by_placement, repair_speed, repair_storm
from .experiments_manager import manager_load
from .experiments_wire import nagle
from .outcome import Outcome

__all__ = ["EXPERIMENTS", "Experiment"]

Experiment = Callable[..., Outcome]

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "balls": balls_into_bins,
        "heavy": heavily_loaded,
        "ten-million": ten_million,
        "exact": exact_knowledge,
        "old-reports": old_reports,
        "lock-in": lock_in,
        "two-dead": two_dead,
        "copysets": copysets_lost,
        "rendezvous": rendezvous_moves,
        "repair-speed": repair_speed,
        "placements": loss_by_placement,
        "storm": repair_storm,
        "manager-load": manager_load,
        "nagle": nagle,
    }
)
