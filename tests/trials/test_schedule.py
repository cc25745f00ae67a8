"""A schedule is a seed's or a file's; what it says happens, and what is left out of it does not."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from rpclab.errors import UsageError
from rpclab.trials.schedule import Schedule
from rpclab.trials.trial import SimulatedTrial


@pytest.fixture(scope="module")
def trial() -> SimulatedTrial:
    trial = SimulatedTrial(6, 3.0)
    assert trial.run() == []
    return trial


def test_a_seed_has_one_schedule_and_another_seed_another() -> None:
    assert Schedule.of(3) == Schedule.of(3) != Schedule.of(4)
    drifts = [Schedule.of(seed).drift for seed in range(200)]
    assert 25 < sum(drift > 0 for drift in drifts) < 75 and max(drifts) <= 0.05


def test_a_schedule_from_a_file_is_the_same_and_makes_the_same_run(
    trial: SimulatedTrial, tmp_path: pathlib.Path
) -> None:
    path = trial.schedule.save(tmp_path / "new" / "schedule.json")
    read = Schedule.read(path)
    assert read == trial.schedule
    again = SimulatedTrial(read)
    assert again.run() == [] and again.summary == trial.summary
    assert again.cluster.order.lines == trial.cluster.order.lines


def test_a_trial_knows_its_past(trial: SimulatedTrial) -> None:
    number = len(trial.cluster.events) // 2
    with trial.cluster.at(number) as then:
        assert then.order.lines == trial.cluster.order.lines[:number]


def test_what_is_left_out_does_not_happen_and_the_rest_keeps_its_time() -> None:
    schedule = Schedule.of(6, 3.0)
    first, second, third = schedule.operations["client1"][:3]
    less = schedule.only([("client1", first.number), ("client1", third.number)], [])
    assert [each.number for each in less.operations["client1"]] == [1, 3]
    assert less.operations["client1"][1].pause == second.pause + third.pause
    assert not less.faults and not any(less.operations[f"client{number}"] for number in range(2, 9))
    assert less.size == (0, 2) and str(less) == "0 faults, 2 operations of 1 client, 5 servers"
    trial = SimulatedTrial(less)
    assert trial.run() == [] and trial.operations <= 2 and not trial.nemesis.counts
    assert trial.done().size[1] <= 2


def test_fewer_nodes_take_their_part_with_them() -> None:
    schedule = Schedule.of(6)
    small = schedule.smaller(2, 3)
    assert list(small.operations) == ["client1", "client2", "client3"]
    assert {fault.node for fault in small.faults} <= {"manager", "server1", "server2", "client1", "client2", "client3"}
    only = schedule.only([("client7", 1), ("client3", 2)], [fault.number for fault in schedule.faults])
    renamed = only.renamed()
    assert renamed.clients == 2 and [each.number for each in renamed.operations["client2"]] == [1]
    assert not list(renamed._wrong())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rpclab": "log"}, "is no schedule of rpclab"),
    ({"version": 2}, "version 2; this rpclab reads version 1"),
    ({"seed": "x"}, r"Expected `int`, got `str` - at `\$.seed`"),
    ({"servers": 1000}, "servers=1000: from 0 to 100"),
    ({"seconds": -1}, "seconds=-1.0"),
    ({"more": 1}, "unknown field `more`"),
    ({"operations": {"client9": []}}, "'client9' has operations, and there are 8 clients"),
    ({"faults": [{"number": 1, "wait_s": 1, "kind": "kill", "node": "moon", "hold_s": 1}]}, "'kill' of 'moon'"),
    ({"faults": [{"number": 1, "wait_s": 1, "kind": "bite", "node": "manager", "hold_s": 1}]}, "'bite' of 'manager'"),
    ({"faults": [{"number": 1, "wait_s": -1, "kind": "kill", "node": "manager", "hold_s": 1}]}, "cannot be waited"),
]
OPERATION = {"number": 1, "kind": "backup", "name": "a", "size": 1, "keep": 1, "options": {}, "choice": 0.5, "pause": 0}
WRONG += [
    ({"operations": {"client1": [{**OPERATION, **change}]}}, said)
    for change, said in (
        ({"kind": "burn"}, "'burn' is none of backup"),
        ({"size": 1 << 40}, "size=1,099,511,627,776"),
        ({"pause": -1}, "pause=-1"),
        ({"options": {"progress": 1}}, "options are replication and acknowledge"),
        ({"name": "../x"}, "operation 1: "),
    )
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_file_that_is_no_schedule_is_refused_with_what_is_wrong(
    change: dict[str, Any], said: str, tmp_path: pathlib.Path
) -> None:
    path = Schedule.of(1, 0.5).save(tmp_path / "s.json")
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        Schedule.read(path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"17"])
def test_bytes_that_are_none_are_refused(data: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no schedule"):
        Schedule.read(path)
    with pytest.raises(UsageError, match=r"cannot be read: .*give a seed"):
        Schedule.read(tmp_path / "none.json")
