"""Every notebook runs from top to bottom in a fresh kernel, says what it should, and leaves no process."""

from __future__ import annotations

import pathlib
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))


LIMIT_S = 60


@dataclass(frozen=True)
class Run:
    """A notebook that was executed: with its outputs, its data folder, how long it took, and the processes that it left."""

    notebook: Any
    data: pathlib.Path
    seconds: float
    left: list[str]

    @property
    def said(self) -> str:
        """All that it printed and showed as text."""
        outputs = [output for cell in self.notebook.cells for output in cell.get("outputs", [])]
        return "\n".join(str(each.get("text") or each.get("data", {}).get("text/plain", "")) for each in outputs)

    def shown(self, kind: str) -> int:
        """How many outputs there are of a kind, as "image/png"."""
        return sum(kind in output.get("data", {}) for cell in self.notebook.cells for output in cell.get("outputs", []))


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[pathlib.Path], Run]:
    """Execute a notebook in a fresh kernel, over a copy of the sample data; once for all tests."""
    runs: dict[pathlib.Path, Run] = {}

    def execute(path: pathlib.Path) -> Run:
        if path not in runs:
            runs[path] = _execute(path, tmp_path_factory.mktemp(path.stem[:20]))
        return runs[path]

    return execute


def _execute(path: pathlib.Path, folder: pathlib.Path) -> Run:
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("runs", "notebooks"))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RPCLAB_DATA", str(folder / "data"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        NotebookClient(notebook, timeout=LIMIT_S, resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.monotonic() - began
    return Run(notebook, folder / "data", seconds, [line for line in node_processes() if str(folder) in line])


def node_processes() -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "-m rpclab." in line:
            found.append(line)
    return found


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_within_a_minute_and_leaves_no_process(
    path: pathlib.Path, executed: Callable[[pathlib.Path], Run]
) -> None:
    run = executed(path)
    assert run.left == []
    assert run.seconds < LIMIT_S


def test_start_here_restores_everything_also_without_a_server(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "00-start-here.ipynb")
    files = len([path for path in (ROOT / "data/clients/client1/Files").rglob("*") if path.is_file()])
    assert run.said.count("identical") == 2 * files
    assert "DIFFERENT" not in run.said
    after_the_kill = run.said[run.said.rindex("identical") - 2000 :]
    assert "stopped" in after_the_kill
    assert run.shown("image/png") == 2


def test_a_call_is_stopped_read_and_lost(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "01-a-call-across-the-wire.ipynb")
    assert "ann asks manager: string('hello')" in run.said and "manager answers string of ann: 'hello'" in run.said
    assert "MethodNotFound: there is no remote method 'getSever' here" in run.said
    assert "reply lost, +50 euros" in run.said and "request lost, +0 euros" in run.said
    assert "'reserved_bytes': 13" in run.said
    assert run.shown("image/svg+xml") == 2


def test_files_are_cut_on_the_descriptions_wire_and_none_on_ours(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "02-messages-on-a-stream.ipynb")
    sent = re.findall(r"(\w+\.txt) +sent +([\d,]+) bytes, stored +([\d,]+) ", run.said)
    assert len(sent) == 9 and run.said.count("File received successfully!") > 4
    cut = {name for name, whole, stored in sent if whole != stored}
    assert {f"many{letters}.txt" for letters in range(6)} <= cut and "hello.txt" not in cut
    assert "these 3 bytes are no request" in run.said  # the mark that came after the end
    assert run.said.count("identical") == 9 and "DIFFERENT" not in run.said
    assert "The run is valid" in run.said


def test_answers_cross_and_copies_are_missing_until_there_is_a_lock(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "03-many-clients.ipynb")
    trials = re.findall(r"(\d+) of 40 clients were told that all is well; (\d+) of these files", run.said)
    (told, copied), with_lock = trials
    assert int(copied) < int(told) and with_lock == ("40", "40")
    assert "crossed" in run.said and "400 of 400 calls got their own answer" in run.said
    assert "ConnectionBusy" in run.said
    assert run.shown("image/png") == 3


def test_who_may_not_speak_is_refused_and_only_tls_hides_what_is_said(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "08-who-may-speak.ipynb")
    assert "original/startup.sh" in run.said and run.said.count(" is refused: ") == 9
    assert (run.data / "notebooks" / "08-who-may-speak" / "original" / "startup.sh").exists()
    assert not list((run.data / "notebooks" / "08-who-may-speak" / "servers").rglob("startup.sh"))
    assert "the message: True" in run.said and "the message: False" in run.said
    assert "pay 90 euros" in run.said and "pay 10 euros" not in run.said
    assert "its certificate is that of client/ann" in run.said
    turned_away = re.search(r"told that there is no room +(\d+) ", run.said)
    assert turned_away is not None and int(turned_away[1]) > 20


def test_notebooks_are_numbered_and_each_leads_to_the_next_and_back() -> None:
    chain = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert [path.name[:2] for path in chain] == [f"{number:02}" for number in range(len(chain))]
    for path in chain:
        cells = nbformat.read(path, as_version=4).cells  # type: ignore[no-untyped-call]
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
        assert [link for link in links if not (path.parent / link).exists()] == [], path.name
        nearby = [other.name for other in chain if abs(int(other.name[:2]) - int(path.name[:2])) == 1]
        assert set(nearby) <= set(links), path.name


def test_old_news_makes_the_best_rule_the_worst(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "04-balancing-capacity.ipynb")
    herds = re.findall(r"went to server ([\d ]+)", run.said)
    assert [set(herd.split()) for herd in herds] == [{"1"}, {"2"}, {"3"}, {"4"}, {"5"}]
    spread, largest = re.search(r"at most: ([\d,]+) bytes; the largest file: ([\d,]+)", run.said).groups()  # type: ignore[union-attr]
    assert int(spread.replace(",", "")) <= int(largest.replace(",", ""))
    thrown = dict(re.findall(r"(\w[\w ,]*?) +mean gap +([\d,]+) bytes; best", run.said))
    gaps = {rule: int(gap.replace(",", "")) for rule, gap in thrown.items()}
    order = ["fewest bytes", "two choices", "two choices, old news", "random", "fewest bytes, old news"]
    assert sorted(gaps, key=lambda rule: gaps[rule]) == order
    assert "returned None (is there a `return`?)" in run.said and "placement    unknown" in run.said
    assert run.shown("image/png") == 7


def test_an_early_answer_can_lose_what_was_sent_on_only_afterwards(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "05-replication.ipynb")
    fates = re.findall(r"(after|pipeline) +(all|primary) +(\d) promised; (LOST|restored)", run.said)
    assert [fate for *_, fate in fates] == ["restored", "LOST", "restored", "restored"]
    assert [int(promised) for _, _, promised, _ in fates] == [3, 1, 3, 1]
    took = {way: float(last) for way, last in re.findall(r"(after|pipeline): +.*'client1': ([\d.]+)}", run.said)}
    assert took["after"] == pytest.approx(3 * 0.42, rel=0.1) and took["pipeline"] == pytest.approx(0.42, rel=0.1)
    assert "The run is valid" in run.said
    assert run.shown("image/svg+xml") == 2 and run.shown("image/png") == 5


def test_what_dies_is_repaired_and_only_what_was_on_both_is_lost(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "06-when-servers-die.ipynb")
    assert run.said.count("Counter({'2 copies': 24})") == 4
    assert "exactly those that were expected: True" in run.said
    killed, short, long = re.findall(r"server\d (?:killed|paused) at .*", run.said)
    assert "copies made anew" in killed and "given up" not in short and "back after" in short and "given up" in long
    assert re.findall(r"dead after +(\d+) s: +(\d+) copies", run.said)[1:] == [("6", "0"), ("12", "0")]
    assert "The run is valid" in run.said


def test_one_order_of_steps_keeps_its_promise_through_every_crash(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "07-what-durable-means.ipynb")
    assert "1 of 24 orders kept every promise: write, sync, rename, sync folder" in run.said
    assert "0 promises broken in" in run.said
    ends = re.findall(r"from \d+, .* found: (first|SECOND) .* client (told|not told) +judge: (\w+)", run.said)
    assert ends == [("first", "not told", "valid"), ("SECOND", "not told", "valid"), ("SECOND", "told", "valid")]
    assert run.shown("image/svg+xml") == 1 and run.shown("image/png") == 7


def test_few_copysets_lose_seldom_and_every_executor_gives_one_table(executed: Callable[[pathlib.Path], Run]) -> None:
    run = executed(ROOT / "notebooks" / "09-a-thousand-servers.ipynb")
    found = re.findall(r"(\d+) copysets: a loss in ([\d.]+)% of blackouts, by the formula ([\d.]+)%", run.said)
    assert int(found[1][0]) <= 33 < int(found[0][0])
    for _, lost, formula in found:
        assert float(lost) == pytest.approx(float(formula), abs=1.5)
    storms = re.findall(r"B/s: ([\d.]+) s, formula ([\d.]+) s; (\d+) files lost", run.said)
    assert len(storms) == 2 and all(float(took) == pytest.approx(float(told), abs=1) for took, told, _ in storms)
    assert "does not hold" not in run.said
    assert "\nTrue\n" in run.said and "the same table: True" in run.said


def test_notebooks_are_committed_without_outputs() -> None:
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code), (
            f"{path.name} has outputs: run nbstripout"
        )
        lab = path.parent.name == "labs"  # whose cells hold the student's own work
        assert lab or all(len(cell.source.splitlines()) <= 12 for cell in code), (
            f"{path.name}: a long cell belongs to the package"
        )
