"""A cluster to touch, in a notebook or on a page of its own: upload files, watch the nodes, kill one, get the files back.

The only package that imports ipywidgets and anywidget. Elements carry stable CSS classes, all of which begin with `rpclab-`:
`uploader.py`, `dashboard.py` and `stepper.py` list them.
"""

try:
    import anywidget  # noqa: F401 - asked for here, so that its absence is said in one line
except ModuleNotFoundError:
    raise ImportError("widgets need anywidget, which is not installed: pip install 'anywidget>=0.9'") from None

from .dashboard import Dashboard
from .stepper import Stepper
from .uploader import Uploader

__all__ = ["Dashboard", "Stepper", "Uploader"]
