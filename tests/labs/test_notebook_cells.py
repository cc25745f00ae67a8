"""A part that is written in a cell of a notebook is checked there, in a real kernel, as one in a file is."""

from __future__ import annotations

import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

from rpclab.labs.lab import lab_named
from tests.labs.solving import SOLUTIONS, named_fault

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::FutureWarning")


def said_by(folder: pathlib.Path, *cells: str) -> dict[str, str]:
    """What a notebook's last cell shows, by kind of output."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    shown = [output for output in notebook.cells[-1].outputs if output.output_type == "execute_result"]
    assert len(shown) == 1, notebook.cells[-1].outputs
    return dict(shown[0].data)


def solution(lab: str, name: str) -> str:
    return (SOLUTIONS / lab / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lab", "parts", "mistaken"),
    [
        ("lab2", "Framing", "wrong_half_frame"),
        ("lab4", "choose", "wrong_ignores_reserved"),
        ("lab6", "Detector, plan_repair", "wrong_own_sleep"),
    ],
    ids=["class", "function", "both"],
)
def test_a_part_from_a_cell_passes_and_a_wrong_one_fails_with_its_hint(
    lab: str, parts: str, mistaken: str, tmp_path: pathlib.Path
) -> None:
    head, check = "from rpclab.labs import check", f'check("{lab}", {parts})'
    own = lab_named(lab)
    right = said_by(tmp_path, head, solution(lab, "reference"), check)
    assert f"Public checks passed: {own.points} of {own.points} points." in right["text/plain"], right["text/plain"]

    wrong = said_by(tmp_path, head, solution(lab, "reference"), solution(lab, mistaken), check)
    hint = own.hint(named_fault(SOLUTIONS / lab / f"{mistaken}.py"))
    words = " ".join(wrong["text/plain"].split())
    assert "✗ fail" in words and hint.question in words and hint.fault not in words, wrong["text/plain"]
    assert "what is wrong" in wrong["text/html"], "the other degrees are folded into the page"
