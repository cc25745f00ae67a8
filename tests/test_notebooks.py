"""Every notebook runs from top to bottom in a fresh kernel, says what it should, and leaves no process."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))


def run(path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Execute a notebook over a copy of the sample data."""
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("runs", "notebooks"))
    monkeypatch.setenv("RPCLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def texts(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)


def node_processes() -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "-m rpclab." in line:
            found.append(line)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_leaves_no_process(
    path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(path, tmp_path, monkeypatch)
    assert not [line for line in node_processes() if str(tmp_path) in line]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::FutureWarning")
def test_start_here_restores_everything_also_without_a_server(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = run(ROOT / "notebooks" / "00-start-here.ipynb", tmp_path, monkeypatch)
    said = texts(notebook)
    files = len([path for path in (ROOT / "data/clients/client1/Files").rglob("*") if path.is_file()])
    assert said.count("identical") == 2 * files
    assert "DIFFERENT" not in said
    after_the_kill = said[said.rindex("identical") - 2000 :]
    assert "stopped" in after_the_kill
    pictures = [o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 2


def test_notebooks_are_committed_without_outputs() -> None:
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code), (
            f"{path.name} has outputs: run nbstripout"
        )
        assert all(len(cell.source.splitlines()) <= 12 for cell in code), (
            f"{path.name}: a long cell belongs to the package"
        )
