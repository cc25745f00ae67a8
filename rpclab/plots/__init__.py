"""Pictures of a history: how evenly bytes lie, who sent what to whom. And of an experiment: theory beside simulation.

The only package that imports matplotlib. Each function takes a history, or an experiment's outcome, and, if you have
them, the axes to draw on, and returns the axes. The same as numbers is in `rpclab.study.measures`.
"""

try:
    import matplotlib  # noqa: F401 - asked for here, so that its absence is said in one line
except ModuleNotFoundError as error:
    if error.name != "matplotlib":
        raise  # it is there, and cannot be loaded: somebody's own html.py, say, stands before Python's
    raise ImportError("plots are drawn with matplotlib, which is not installed: pip install matplotlib") from None

from .balance import plot_balance, plot_balance_bars
from .crashes import plot_crashes
from .crossing import plot_crossing
from .diagram import Diagram, diagram
from .experiments import plot_experiment, save_experiment
from .gaps import plot_gaps
from .grades import plot_checks, save_checks
from .latency import plot_latency
from .repair import plot_repair
from .style import save
from .traffic import plot_traffic, plot_traffic_by_file, plot_traffic_matrix, plot_traffic_over_time
from .waits import plot_waits

__all__ = [
    "Diagram",
    "diagram",
    "plot_balance",
    "plot_balance_bars",
    "plot_checks",
    "plot_crashes",
    "plot_crossing",
    "plot_experiment",
    "plot_gaps",
    "plot_latency",
    "plot_repair",
    "plot_traffic",
    "plot_traffic_by_file",
    "plot_traffic_matrix",
    "plot_traffic_over_time",
    "plot_waits",
    "save",
    "save_checks",
    "save_experiment",
]
