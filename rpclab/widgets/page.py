"""The page that `rpclab app` serves: an uploader and a dashboard of the cluster that it has started."""

from __future__ import annotations

import html
import importlib
import os
from collections.abc import Mapping

from ..cluster.attached import AttachedCluster
from ..cluster.desk import DATA_VARIABLE, NAME_VARIABLE, ROOT_VARIABLE
from ..errors import RpclabError
from .dashboard import Dashboard
from .uploader import Uploader

__all__ = ["page"]


def page(environment: Mapping[str, str] = os.environ) -> None:
    """Display the widgets of the cluster that the environment names, or a sentence that says why not."""
    shown = importlib.import_module("IPython.display")  # loaded already, in a kernel
    try:
        cluster = AttachedCluster(environment.get(DATA_VARIABLE), environment.get(NAME_VARIABLE, "rpclab"))
        widgets = [Dashboard(cluster), Uploader(cluster, root=environment.get(ROOT_VARIABLE) or None)]
    except RpclabError as error:
        shown.display(shown.HTML(f"<p role='alert'>This page has no cluster: {html.escape(str(error))}.</p>"))
        return
    shown.display(*widgets)
