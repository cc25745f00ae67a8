"""What the kernel's menu does to a cluster: interrupted, the cluster lives on; restarted, no process of it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .jupyter import JupyterServer, node_processes, write_notebook
from .pages import NotebookPage, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = """from rpclab import LocalCluster
cluster = LocalCluster(servers=2, clients=1, ports="free", fresh=True)
len(cluster.backup_all())"""
FOR_EVER = """print("it runs")
while True:
    pass"""
BACK_UP = """cluster.clients["client1"].restore("notes.txt", "restored").server"""
PARTS = 4  # manager, two servers, a client


def test_the_cluster_outlives_an_interrupt_and_ends_with_its_kernel(
    chromium: Browser, lab: JupyterServer, eventually: Callable[..., None]
) -> None:
    write_notebook(lab.folder / "kernel.ipynb", START, FOR_EVER, BACK_UP)
    with watched(chromium) as (page, errors):
        book = NotebookPage(lab, page, errors)
        book.open("kernel.ipynb")
        assert int(book.run(0)) > 0
        assert len(node_processes(lab.data)) == PARTS

        book.start(1)
        book.output(1).get_by_text("it runs").wait_for()
        book.menu("Kernel", "Interrupt Kernel")
        book.output(1).get_by_text("KeyboardInterrupt").first.wait_for()
        assert "server" in book.run(2)
        assert len(node_processes(lab.data)) == PARTS
        book.shoot("interrupted")

        book.menu("Kernel", "Restart Kernel…")
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        eventually(lambda: node_processes(lab.data) == [], what="the end of all parts after the kernel's restart")
        assert int(book.run(0)) > 0  # and a new cluster starts over the same folder
        book.assert_quiet()
