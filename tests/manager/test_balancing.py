"""Balancing: each move helps, none harms, and they end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rpclab.manager.balancing import Move, next_move
from rpclab.manager.directory import Directory
from rpclab.records import FileRecord

from .small import ANNA, address, directory_of, file, nodes, number_of, place, server, tombstone


def cluster(*sizes: list[int], quotas: list[int | None] | None = None, keep: int = 5) -> Directory:
    """Servers that hold files of these sizes, one copy of each."""
    directory = directory_of(keep=keep, replicas=1)
    for number, files in enumerate(sizes):
        directory.add(server(number, sum(files), quota_bytes=quotas[number] if quotas else None))
        directory.add_files(address(number), [file(f"{number}.{n}", size=size) for n, size in enumerate(files)])
    return directory


def said(move: Move | None) -> tuple[str, str, str] | None:
    return None if move is None else (move.file.name, move.source.node, move.target.node)


def test_a_copy_of_about_half_the_difference_goes_from_the_fullest_to_the_emptiest() -> None:
    directory = cluster([5, 30, 70, 45, 10], [60], [20])  # 160 and 20: 70 is what makes them even
    assert said(next_move(directory, 1.2)) == ("0.2", "server0", "server2")


def test_nothing_moves_within_the_ratio() -> None:
    directory = cluster([60, 60], [100])
    assert next_move(directory, 1.2) is None
    assert next_move(directory, 1.19) is None  # nothing that is smaller than the difference
    directory = cluster([10] * 12, [100])
    assert next_move(directory, 1.2) is None
    assert next_move(directory, 1.19) is not None


def test_less_than_two_servers_can_not_be_evened_out() -> None:
    assert next_move(directory_of(), 1.0) is None
    assert next_move(cluster([10, 10]), 1.0) is None
    assert next_move(cluster([], []), 1.0) is None


def test_a_copy_as_large_as_the_difference_would_only_swap_the_two_and_an_empty_one_do_nothing() -> None:
    assert next_move(cluster([50, 0], [0]), 1.0) is None


def test_a_holder_is_no_target_and_the_next_emptiest_is_taken() -> None:
    directory = cluster([40, 40], [], [10])
    for number in (0, 1):
        directory.add_files(address(1), [file(f"0.{number}", size=40)])
    assert said(next_move(directory, 1.2)) == ("0.0", "server0", "server2")
    directory.add_files(address(2), [file(f"0.{number}", size=40) for number in (0, 1)])
    assert next_move(directory, 1.2) is None


def test_who_else_holds_the_version_is_told() -> None:
    directory = cluster([40, 40], [10], [])
    directory.add_files(address(1), [file("0.0", size=40)])
    move = next_move(directory, 1.2)
    assert move is not None
    assert said(move) == ("0.0", "server0", "server2")
    assert (nodes(move.others), move.key) == (["server1"], "anna/0.0")


def test_a_quota_is_respected() -> None:
    assert said(next_move(cluster([40, 7], [], quotas=[None, 39]), 1.2)) == ("0.1", "server0", "server1")
    assert next_move(cluster([40, 40], [], quotas=[None, 39]), 1.2) is None
    assert said(next_move(cluster([40, 40], [], [5], quotas=[None, 39, None]), 1.2)) == ("0.0", "server0", "server2")


def test_only_servers_of_our_own_wire_that_are_trusted_take_part() -> None:
    directory = cluster([40, 40], [], [50], [20])
    directory.add(server(9, 0, wire="document"))
    directory.suspect(address(1))
    assert said(next_move(directory, 1.2)) == ("0.0", "server0", "server3")
    directory.suspect(address(0))
    assert next_move(directory, 1.2) is None  # server2 has nothing that is less than the difference


def test_what_somebody_writes_repairs_or_has_deleted_stays_where_it_is() -> None:
    directory = cluster([40, 30], [])
    place(directory, "0.0", 0)
    assert said(next_move(directory, 1.2)) == ("0.1", "server0", "server1")
    directory.add_files(address(1), [tombstone("0.1")])
    assert next_move(directory, 1.2) is None
    directory.placing.release("upload of 0.0")
    assert said(next_move(directory, 1.2)) == ("0.0", "server0", "server1")
    directory.add_files(address(0), [file("0.0", size=40, wanted=2)])
    directory.upkeep.waiting(0.0)
    works = [directory.upkeep.next(1.0), directory.upkeep.next(1.0)]
    assert "anna/0.0" in {work.key for work in works if work is not None}
    assert next_move(directory, 1.2) is None


def test_a_copy_that_differs_from_most_is_not_moved() -> None:
    directory = cluster([40], [], [40], [40])
    for number, digest in ((0, "x"), (2, "y"), (3, "y")):
        directory.add_files(address(number), [file("same", size=30, digest=digest)])
    directory.update(address(0), stored_bytes=100, report=1, removed=[file("0.0")])
    assert next_move(directory, 1.2) is None


def test_every_version_may_be_moved_for_itself() -> None:
    directory = directory_of(90, 0)
    directory.add_files(address(0), [file("a", version, size) for version, size in ((1, 20), (2, 45), (3, 25))])
    move = next_move(directory, 1.2)
    assert move is not None
    assert move.file.version == 2


SIZES = st.lists(st.integers(0, 60), max_size=8)


@settings(deadline=None)
@given(
    st.lists(SIZES, min_size=2, max_size=5),
    st.lists(st.one_of(st.none(), st.integers(0, 200)), min_size=5, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 7)), max_size=10),
    st.sampled_from([1.0, 1.2, 2.0]),
)
def test_every_move_lessens_the_sum_of_squares_and_they_end(
    sizes: list[list[int]], quotas: list[int | None], more: list[tuple[int, int, int]], ratio: float
) -> None:
    disks: list[dict[str, FileRecord]] = [
        {f"{n}.{i}": file(f"{n}.{i}", size=size) for i, size in enumerate(files)} for n, files in enumerate(sizes)
    ]
    for source, target, which in more:  # some have more than one copy
        name = f"{source}.{which}"
        if source < len(disks) and target < len(disks) and name in disks[source]:
            disks[target][name] = disks[source][name]
    directory = directory_of(replicas=1)
    for number, disk in enumerate(disks):
        directory.add(server(number, sum(f.size for f in disk.values()), quota_bytes=quotas[number]))
        directory.add_files(address(number), disk.values())

    def loads() -> list[int]:
        return [sum(f.size for f in disk.values()) for disk in disks]

    copies = {name: sum(name in disk for disk in disks) for files in disks for name in files}
    report, before = 0, sum(load * load for load in loads())
    while (move := next_move(directory, ratio)) is not None:
        source, target, name = number_of(move.source), number_of(move.target), move.file.name
        assert loads()[source] == max(loads())
        assert name not in disks[target]
        assert {number_of(each) for each in move.others} == {
            n for n, disk in enumerate(disks) if name in disk and n != source
        }
        disks[target][name] = disks[source].pop(name)
        quota = quotas[target]
        assert quota is None or loads()[target] <= quota
        after = sum(load * load for load in loads())
        assert after < before
        report, before = report + 1, after
        directory.update(address(target), stored_bytes=loads()[target], report=report, stored=[move.file])
        directory.update(address(source), stored_bytes=loads()[source], report=report, removed=[move.file])
    assert copies == {name: sum(name in disk for disk in disks) for files in disks for name in files}
    fullest = loads().index(max(loads()))
    if max(loads()) > ratio * min(loads()):  # then nothing of the fullest would help
        for number, disk in enumerate(disks):
            gap, quota = loads()[fullest] - loads()[number], quotas[number]
            helping = [
                f
                for name, f in disks[fullest].items()
                if name not in disk and 0 < f.size < gap and (quota is None or loads()[number] + f.size <= quota)
            ]
            assert not helping or loads().count(max(loads())) > 1


def test_what_is_reserved_counts_as_stored() -> None:
    directory = cluster([40, 40], [], [30])
    directory.placing.reserve("u", [address(1)], (ANNA, "new"), 70, 0.0)
    assert said(next_move(directory, 1.2)) == ("0.0", "server0", "server2")
