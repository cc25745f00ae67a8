"""The manager's soft state: against a model in plain dictionaries, and rule by rule."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rpclab.errors import NameCollision, NoServer, NoSuchFile, PlacementError, UsageError
from rpclab.manager.candidates import Ranking
from rpclab.manager.directory import Directory
from rpclab.manager.placement import Request, Servers
from rpclab.manager.placing import SHOWN
from rpclab.records import LIFE_BITS, FileRecord, ServerRecord

from .small import ANNA, RESERVATION_S, address, directory_of, file, nodes, place, server, tombstone

# Servers come and go.


def test_a_new_directory_knows_nobody() -> None:
    directory = directory_of()
    assert (len(directory), directory.servers(), directory.total_files) == (0, [], 0)
    assert directory.files(None, None, 10) == []
    assert not directory.remove(address(0))
    assert not directory.update(address(0), stored_bytes=5)


def test_servers_are_listed_in_order_of_their_names() -> None:
    directory = directory_of()
    for number in (3, 1, 2):
        directory.add(server(number))
    assert nodes(directory.servers()) == ["server1", "server2", "server3"]
    assert address(2) in directory
    assert directory.remove(address(2))
    assert address(2) not in directory
    assert nodes(directory.servers()) == ["server1", "server3"]


def test_a_server_that_registers_again_starts_afresh() -> None:
    directory = directory_of(0)
    directory.add_files(address(0), [file("a")])
    place(directory, "b", 50)
    directory.add(server(0, 7, files=99, reserved_bytes=99))
    assert directory.servers() == [server(0, 7)]
    assert directory.total_files == 0
    directory.placing.release("upload of b")
    assert directory.servers() == [server(0, 7)]


def test_a_server_may_come_back_under_another_name_and_wire() -> None:
    directory = directory_of(0)
    assert directory.placing.choose(now=0, random=Random(), wire="rpclab").server.node == "server0"
    directory.add(ServerRecord("other", address(0), 3, wire="document"))
    assert nodes(directory.servers()) == ["other"]
    assert directory.placing.choose(now=0, random=Random(), wire="document").server.node == "other"
    with pytest.raises(NoServer, match="none of the 1 servers speaks the rpclab wire"):
        directory.placing.choose(now=0, random=Random(), wire="rpclab")


# Reports.


def test_a_late_report_changes_no_bytes_but_its_files_count() -> None:
    directory = directory_of(0)
    assert directory.update(address(0), stored_bytes=30, report=2, stored=[file("b")])
    assert not directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")])
    assert directory.servers() == [server(0, 30, files=2)]


def test_a_report_of_an_earlier_life_says_nothing_of_this_one() -> None:
    """Found by the simulation: a report that was under way when its server died came after the next life had registered, and had
    the higher number; the manager counted its bytes for sixty reports."""
    directory = directory_of()
    before, now = 7 << LIFE_BITS, 5 << LIFE_BITS
    directory.add(server(0, 40), report=now + 1)
    assert not directory.update(address(0), stored_bytes=30, report=before + 62, stored=[file("b")], upload="u")
    assert directory.servers()[0].stored_bytes == 40 and not list(directory.files(None, None, 9))
    assert directory.update(address(0), stored_bytes=50, report=now + 2, stored=[file("a")])
    assert directory.servers()[0].stored_bytes == 50


def test_a_late_report_does_not_bring_a_removed_file_back() -> None:
    directory = directory_of(0)
    directory.update(address(0), stored_bytes=0, report=2, removed=[file("a")])
    directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")])
    assert directory.total_files == 0


def test_a_file_that_was_repaired_under_its_old_version_is_there_again() -> None:
    directory = directory_of(0)
    directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")])
    directory.update(address(0), stored_bytes=0, report=2, removed=[file("a")])
    directory.update(address(0), stored_bytes=10, report=3, stored=[file("a")])
    assert nodes(directory.locate("anna", "a").servers) == ["server0"]


def test_a_report_without_a_number_always_counts() -> None:
    directory = directory_of(0, wire="document")
    assert directory.update(address(0), stored_bytes=30)
    assert directory.update(address(0), stored_bytes=10)
    assert directory.servers()[0].stored_bytes == 10


def test_a_report_about_one_version_says_nothing_of_another() -> None:
    directory = directory_of(0)
    directory.update(address(0), stored_bytes=20, report=1, stored=[file("a", 1), file("a", 2)])
    directory.update(address(0), stored_bytes=10, report=3, removed=[file("a", 1)])
    directory.update(address(0), stored_bytes=20, report=2, stored=[file("a", 1)])
    assert [each.file.version for each in directory.versions(ANNA, "a")] == [2]
    assert directory.servers()[0].files == 1


def test_who_has_a_tombstone_has_nothing_under_it() -> None:
    directory = directory_of(0, 0)
    for number in (0, 1):
        directory.update(address(number), stored_bytes=30, report=4, stored=[file("a", v) for v in (1, 2, 3)])
    directory.update(address(0), stored_bytes=10, report=5, stored=[tombstone("a", 2)])
    assert sorted(file.version for file in directory.files_of(address(0))) == [3]
    assert sorted(file.version for file in directory.files_of(address(1))) == [1, 2, 3]
    directory.update(address(0), stored_bytes=0, report=3, stored=[tombstone("a", 3)])
    assert sorted(file.version for file in directory.files_of(address(0))) == [3]


@given(st.data())
def test_reports_that_come_in_any_order_and_twice_end_in_the_truth(data: st.DataObject) -> None:
    names = st.sampled_from("abc")
    truth: dict[tuple[str, int], FileRecord] = {}
    once: dict[tuple[str, int], FileRecord] = {}
    deleted = dict.fromkeys("abc", 0)
    reports: list[Callable[[Directory], object]] = []
    registered = data.draw(st.integers(0, 5))

    def report(number: int, stored: list[FileRecord], removed: list[FileRecord]) -> None:
        size = sum(f.size for f in truth.values())
        reports.append(lambda d: d.update(address(0), stored_bytes=size, report=number, stored=stored, removed=removed))

    for number in range(1, 14):
        name = data.draw(names)
        here = sorted(key for key in truth if key[0] == name)
        gone = sorted(key for key in once if key[0] == name and key not in truth and key[1] > deleted[name])
        what = data.draw(st.sampled_from(["store", "store", "remove", "repair", "delete"]))
        if what == "remove" and here:
            report(number, [], [truth.pop(data.draw(st.sampled_from(here)))])
        elif what == "repair" and gone:
            key = data.draw(st.sampled_from(gone))
            truth[key] = once[key]
            report(number, [truth[key]], [])
        elif what == "delete" and here:
            deleted[name] = data.draw(st.sampled_from(here))[1]
            removed = [truth.pop(key) for key in here if key[1] <= deleted[name]]
            report(number, [tombstone(name, deleted[name])], removed)
        else:
            truth[name, number] = once[name, number] = file(name, version=number, size=number)
            report(number, [truth[name, number]], [])
        if number == registered:
            inventory = [*truth.values(), *(tombstone(each, up_to) for each, up_to in deleted.items() if up_to)]
            reports.extend(lambda d, page=page: d.add_files(address(0), [page]) for page in inventory)  # type: ignore[misc]
    directory = directory_of()
    directory.add(server(0), report=registered)
    for deliver in data.draw(st.permutations(reports)) + data.draw(st.lists(st.sampled_from(reports))):
        deliver(directory)
    assert {(f.name, f.version): f for f in directory.files_of(address(0))} == truth
    newest = {name: max(version for each, version in truth if each == name) for name, _ in truth}
    assert {loc.file.name: loc.file.version for loc in directory.files(None, None, 99)} == newest
    assert directory.servers() == [server(0, sum(f.size for f in truth.values()), files=len(newest))]


# Choosing.


def test_no_server_at_all_is_said_so() -> None:
    with pytest.raises(NoServer, match="no server is registered"):
        directory_of().placing.choose(now=0, random=Random())


def test_all_excluded_is_said_so() -> None:
    with pytest.raises(NoServer, match="all 2 servers are excluded"):
        directory_of(0, 0).placing.choose(now=0, random=Random(), exclude={address(0), address(1), address(9)})


def test_no_room_is_said_with_the_numbers() -> None:
    directory = directory_of(70, 40, 0, quota_bytes=100)
    place(directory, size=10, exclude={address(0), address(2)})
    with pytest.raises(NoServer, match=r"for 51 bytes: of 3 servers 1 are excluded, and the .* at most 50"):
        directory.placing.choose(now=0, random=Random(), size=51, exclude={address(2)})
    assert directory.placing.choose(now=0, random=Random(), size=50, exclude={address(2)}).server.node == "server1"


def test_only_servers_of_the_wire_are_chosen() -> None:
    directory = directory_of(5, 6)
    directory.add(server(2, 0, wire="document"))
    assert directory.placing.choose(now=0, random=Random(), wire="rpclab").server.node == "server0"
    assert directory.placing.choose(now=0, random=Random(), wire="document").server.node == "server2"
    assert directory.placing.choose(now=0, random=Random()).server.node == "server2"
    assert nodes(place(directory, wanted=3).servers) == ["server0", "server1"]


def test_a_decision_tells_what_was_known() -> None:
    decision = directory_of(5, 3, 4).placing.choose(now=0, random=Random(), exclude={address(0)})
    assert decision.server.node == "server1"
    assert (decision.policy, decision.candidates, decision.count) == (
        "fewest-bytes",
        (("server1", 3), ("server2", 4)),
        2,
    )


def test_a_decision_among_many_shows_the_fewest_bytes_and_the_chosen_one() -> None:
    def fullest(servers: Servers, request: Request, random: Random) -> ServerRecord:
        return max(servers, key=lambda s: s.stored_bytes)

    decision = directory_of(*range(100), policy=fullest).placing.choose(now=0, random=Random())
    assert decision.count == 100
    assert [size for _, size in decision.candidates] == [*range(SHOWN - 1), 99]


def test_a_policy_gets_the_file_its_size_and_the_number_of_decisions() -> None:
    seen: list[Request] = []

    def mine(servers: Servers, request: Request, random: Random) -> ServerRecord:
        seen.append(request)
        return servers[0]

    directory = directory_of(0, 0, policy=mine)
    place(directory, "a", 7, wanted=2)
    directory.placing.choose(now=0, random=Random())
    assert seen == [Request("anna/a", 7, 0, 2), Request("anna/a", 7, 1, 2, ("server0",)), Request("", 0, 2)]


def test_a_policy_is_told_how_many_copies_there_are_to_be_and_who_has_one() -> None:
    seen: list[tuple[int, tuple[str, ...]]] = []

    def mine(servers: Servers, request: Request, random: Random) -> ServerRecord:
        seen.append((request.copies, request.beside))
        return servers[0]

    directory = directory_of(0, 0, 0, 0, policy=mine)
    place(directory, "a", wanted=3)
    assert seen == [(3, ()), (3, ("server0",)), (3, ("server0", "server1"))]
    seen.clear()
    directory.placing.place_copy(file("a"), upload="u", exclude=frozenset({address(2)}), now=0, random=Random())
    assert seen == [(2, ("server2",))]


def test_a_policy_that_fails_leaves_nothing_reserved() -> None:
    def second_time(servers: Servers, request: Request, random: Random) -> ServerRecord:
        return servers[0] if request.number == 0 else servers[99]

    directory = directory_of(0, 0, policy=second_time)
    with pytest.raises(PlacementError, match="second_time raised IndexError"):
        place(directory, wanted=2)
    assert [s.reserved_bytes for s in directory.servers()] == [0, 0]


# Placing.


def test_copies_go_to_different_servers_the_emptiest_first() -> None:
    plan = place(directory_of(3, 1, 2), wanted=2)
    assert nodes(plan.servers) == ["server1", "server2"]
    assert [d.server.node for d in plan.decisions] == ["server1", "server2"]
    assert [s.reserved_bytes for s in plan.servers] == [10, 10]


def test_fewer_servers_than_wanted_are_no_error_but_none_is() -> None:
    assert len(place(directory_of(0, 0), wanted=5).servers) == 2
    with pytest.raises(NoServer):
        place(directory_of(0, quota_bytes=5), size=6)
    with pytest.raises(UsageError, match="at least 1 copy"):
        place(directory_of(0), wanted=0)


def test_a_file_sent_again_replaces_its_copies_the_newest_first() -> None:
    directory = directory_of(0, 50, 60, 70)
    directory.add_files(address(2), [file("a", 1)])
    directory.add_files(address(3), [file("a", 2)])
    plan = place(directory, "a", wanted=3)
    assert nodes(plan.servers) == ["server3", "server2", "server0"]
    assert nodes(d.server for d in plan.decisions) == ["server0"]
    assert plan.version == 3
    assert nodes(place(directory, "a", wanted=1, upload="again").servers) == ["server3"]
    assert nodes(place(directory, "a", wanted=1, upload="other", exclude={address(3)}).servers) == ["server2"]


def test_of_as_many_versions_as_stay_the_oldest_makes_way_and_only_the_rest_is_reserved() -> None:
    directory = directory_of(95, quota_bytes=100, keep=2)
    directory.add_files(address(0), [file("a", 1, size=40)])
    with pytest.raises(NoServer, match="at most 5"):
        place(directory, "a", 6)  # the other version stays
    directory.add_files(address(0), [file("a", 2, size=20)])
    with pytest.raises(NoServer):
        place(directory, "a", 46)
    assert place(directory, "a", 45).servers[0].reserved_bytes == 5
    assert place(directory, "a", 30).servers[0].reserved_bytes == 0


def test_an_upload_that_is_placed_again_keeps_its_version_unless_nobody_gave_it() -> None:
    directory = directory_of(0)
    first = place(directory, "a")
    place(directory, "b")
    assert place(directory, "a", version=first.version).version == first.version
    assert place(directory, "a", version=99).version == 3


def test_the_cluster_s_number_of_copies_is_wanted_where_nobody_said_another() -> None:
    assert len(place(directory_of(0, 0, 0, 0, replicas=3), wanted=None).servers) == 3


def test_a_name_that_would_hide_another_is_refused_and_nothing_reserved() -> None:
    directory = directory_of(0)
    directory.add_files(address(0), [file("a/b"), file("c")])
    for name in ("a", "A/B", "c/d"):
        with pytest.raises(NameCollision):
            place(directory, name)
    assert directory.servers()[0].reserved_bytes == 0
    directory.update(address(0), stored_bytes=0, report=1, removed=[file("a/b")])
    assert place(directory, "a").version == 2


def test_a_suspected_server_is_chosen_only_if_no_other_can_be() -> None:
    directory = directory_of(0, 10, 20, quota_bytes=100)
    directory.suspect(address(0))
    directory.suspect(address(9))
    assert nodes(place(directory, wanted=3).servers) == ["server1", "server2", "server0"]
    assert nodes(place(directory, "b", 85, wanted=2).servers) == ["server0"]
    directory.trust(address(0))
    assert nodes(place(directory, "c", 1, wanted=1).servers) == ["server1"]
    directory.suspect(address(1))
    directory.remove(address(1))
    directory.add(server(1))
    assert not directory.is_suspected(address(1))


def test_a_suspected_server_where_an_earlier_version_makes_way_is_better_than_none() -> None:
    directory = directory_of(100, keep=1, quota_bytes=100)
    directory.add_files(address(0), [file("a", size=60)])
    directory.suspect(address(0))
    assert nodes(place(directory, "a", size=60, wanted=2).servers) == ["server0"]
    with pytest.raises(NoServer):
        place(directory, "a", size=61)


def test_a_suspected_server_s_earlier_version_does_not_draw_the_next_one_there() -> None:
    directory = directory_of(0, 0)
    directory.add_files(address(0), [file("a")])
    directory.suspect(address(0))
    assert nodes(place(directory, "a", wanted=2).servers) == ["server1", "server0"]


def test_one_more_copy_is_reserved_where_nobody_excluded_is() -> None:
    directory = directory_of(0, 5, 9)
    decision = directory.placing.place_copy(file("a"), upload="u", exclude={address(0)}, now=0.0, random=Random())
    assert decision.server.node == "server1"
    assert [s.reserved_bytes for s in directory.servers()] == [0, 10, 0]
    with pytest.raises(NoServer):
        directory.placing.place_copy(
            file("a"), upload="v", exclude={address(n) for n in range(3)}, now=0.0, random=Random()
        )


def test_a_server_that_has_gone_is_promised_nothing() -> None:
    directory = directory_of(0, 0)
    directory.remove(address(1))
    with pytest.raises(NoServer, match="not registered any more"):
        directory.placing.reserve("u", [address(0), address(1)], (ANNA, "a"), 10, 0.0)
    assert directory.servers() == [server(0)]
    assert not directory.reservations.is_open((ANNA, "a"))


def test_versions_rise_whatever_happens_to_the_copies() -> None:
    directory = directory_of(0)
    assert place(directory, "a").version == 1
    assert place(directory, "a", upload="other").version == 2
    directory.update(address(0), stored_bytes=0, report=1, removed=[file("a", 7)])
    assert place(directory, "a").version == 8
    assert place(directory, "b").version == 9


def test_two_who_ask_at_once_are_sent_to_different_servers() -> None:
    directory = directory_of(0, 1, 2)
    assert [place(directory, name).servers[0].node for name in "abc"] == ["server0", "server1", "server2"]


def test_a_report_releases_its_uploads_bytes_on_that_server_alone() -> None:
    directory = directory_of(0, 0)
    place(directory, "a", 10, wanted=2)
    directory.update(address(0), stored_bytes=10, report=1, stored=[file("a")], upload="upload of a")
    assert directory.servers() == [server(0, 10, files=1), server(1, 0, reserved_bytes=10)]
    directory.placing.release("upload of a")
    directory.placing.release("upload of a")
    directory.placing.release("never heard of")
    assert directory.servers()[1] == server(1, 0)


def test_a_promise_lasts_reservation_s() -> None:
    directory = directory_of(0)
    place(directory, "a", now=5.0)
    directory.placing.expire(5.0 + RESERVATION_S - 0.001)
    assert directory.servers()[0].reserved_bytes == 10
    assert directory.placing.choose(now=5.0 + RESERVATION_S, random=Random()).candidates == (("server0", 0),)
    assert directory.servers()[0].reserved_bytes == 0


def test_an_upload_that_is_placed_again_lasts_from_then_on() -> None:
    directory = directory_of(0, 0)
    place(directory, "a", now=0.0)
    place(directory, "a", now=100.0, exclude={address(0)})
    assert [s.reserved_bytes for s in directory.servers()] == [0, 10]
    directory.placing.expire(RESERVATION_S)
    assert [s.reserved_bytes for s in directory.servers()] == [0, 10]
    directory.placing.expire(100.0 + RESERVATION_S)
    assert [s.reserved_bytes for s in directory.servers()] == [0, 0]


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=60))
def test_from_empty_the_fullest_is_never_ahead_by_more_than_the_largest_file(
    count: int, files: list[tuple[int, bool]]
) -> None:
    directory, stored = directory_of(*[0] * count), dict.fromkeys(range(count), 0)
    waiting: list[tuple[int, int, str]] = []
    for number, (size, at_once) in enumerate(files):
        waiting.append((place(directory, str(number), size).servers[0].address[1] - 1000, size, f"upload of {number}"))
        if at_once:  # some are stored before the next is placed, some are only reserved
            for target, bytes_, upload in waiting:
                stored[target] += bytes_
                directory.update(address(target), stored_bytes=stored[target], upload=upload)
            waiting.clear()
        loads = [s.stored_bytes + s.reserved_bytes for s in directory.servers()]
        assert max(loads) - min(loads) <= max(size for size, _ in files[: number + 1])


# Finding.


def test_locate_tells_the_newest_version_and_who_holds_exactly_it() -> None:
    directory = directory_of(0, 0, 0, 0)
    for number, version in ((3, 2), (0, 1), (1, 2)):
        directory.add_files(address(number), [file("a", version)])
    location = directory.locate(ANNA, "a")
    assert location.file == file("a", 2)
    assert nodes(location.servers) == ["server1", "server3"]
    assert nodes(directory.locate(ANNA, "a", 1).servers) == ["server0"]
    with pytest.raises(NoSuchFile, match="this version of 'anna/a'"):
        directory.locate(ANNA, "a", 3)
    assert [(each.file.version, nodes(each.servers)) for each in directory.versions(ANNA, "a")] == [
        (2, ["server1", "server3"]),
        (1, ["server0"]),
    ]
    directory.suspect(address(1))
    assert nodes(directory.locate(ANNA, "a").servers) == ["server3", "server1"]
    directory.remove(address(1))
    directory.remove(address(3))
    with pytest.raises(NoSuchFile, match=r"the newest version of 'anna/a', 0.2: "):
        directory.locate(ANNA, "a")  # an older one is not taken for it
    assert directory.locate(ANNA, "a", 1).file.version == 1


def test_only_the_versions_that_stay_are_listed() -> None:
    directory = directory_of(0, keep=3)
    directory.add_files(address(0), [file("a", version) for version in range(1, 6)])
    assert [each.file.version for each in directory.versions(ANNA, "a")] == [5, 4, 3]


def test_what_a_tombstone_covers_is_gone_wherever_a_copy_lies() -> None:
    directory = directory_of(0, 0)
    directory.add_files(address(0), [file("a", 1), file("a", 2), file("a", 3), file("b", 1)])
    directory.add_files(address(1), [tombstone("a", 2), tombstone("b", 1)])
    assert [each.file.version for each in directory.versions(ANNA, "a")] == [3]
    for name, version in (("a", 2), ("b", 1), ("b", None)):
        with pytest.raises(NoSuchFile):
            directory.locate(ANNA, name, version)
    with pytest.raises(NoSuchFile):
        directory.versions(ANNA, "b")
    assert [each.file.name for each in directory.files(None, None, 9)] == ["a"]


def test_a_delete_is_above_all_copies_and_told_to_all_those_with_a_copy_first() -> None:
    directory = directory_of(0, 0, 0)
    directory.add(server(3, wire="document"))
    directory.add_files(address(2), [file("a", 7)])
    version, told = directory.delete(ANNA, "a")
    assert version == 8
    assert nodes(told) == ["server2", "server0", "server1"]
    assert directory.next_version() == 9
    assert directory.locate(ANNA, "a").file.version == 7  # until a server reports the tombstone
    with pytest.raises(NoSuchFile):
        directory.delete(ANNA, "b")


def test_a_delete_that_keeps_some_is_just_below_them() -> None:
    directory = directory_of(0, 0)
    directory.add_files(address(0), [file("a", version) for version in (2, 4, 6)])
    directory.add_files(address(1), [file("a", 9)])
    assert [directory.delete(ANNA, "a", keep)[0] for keep in (1, 2, 3, 4, 5)] == [6, 4, 2, 0, 0]


def test_of_copies_that_differ_under_one_version_the_most_count() -> None:
    directory = directory_of(0, 0, 0)
    for number, digest in enumerate("xyx"):
        directory.add_files(address(number), [file("a", 1, digest=digest)])
    assert nodes(directory.locate("anna", "a").servers) == ["server0", "server2"]


def test_a_file_that_nobody_holds_is_an_error_with_its_name() -> None:
    directory = directory_of(0)
    place(directory, "a")
    with pytest.raises(NoSuchFile, match="'anna/a'"):
        directory.locate("anna", "a")


@given(
    st.dictionaries(st.tuples(st.sampled_from(["anna", "anna2", "ben"]), st.text("ab/ ", min_size=1)), st.booleans()),
    st.sampled_from([None, "anna", "anna2", "ben", "nobody"]),
    st.integers(1, 5),
)
def test_pages_together_are_the_whole_listing_in_order(
    names: dict[tuple[str, str], bool], client: str | None, limit: int
) -> None:
    directory = directory_of(0)
    for (owner, name), gone in names.items():
        directory.update(address(0), stored_bytes=0, stored=[file(name, client=owner)])
        directory.files(None, None, 1)
        if gone:
            directory.update(address(0), stored_bytes=0, removed=[file(name, client=owner)])
    pages: list[tuple[str, str]] = []
    while page := directory.files(client, pages[-1] if pages else None, limit):
        assert len(page) <= limit
        pages += [(location.file.client, location.file.name) for location in page]
    expected = sorted(key for key, gone in names.items() if not gone)
    assert pages == [key for key in expected if client in (None, key[0])]
    assert directory.total_files == len(expected)


def test_a_choice_among_100_000_servers_compares_a_few_dozen(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = directory_of()
    for number in range(100_000):
        directory.add(server(number, number * 7919 % 100_003, quota_bytes=200_000))
    place(directory)  # the first of its wire has the servers of that wire put in order
    moves, below = 0, 0
    settle, under = Ranking._move, Ranking.below

    def count_move(self: Ranking, source: int, target: int) -> int:
        nonlocal moves
        moves += 1
        return settle(self, source, target)

    def count_below(self: Ranking, limit: tuple[int, int, str, tuple[str, int]]) -> list[tuple[str, int]]:
        nonlocal below
        found = under(self, limit)
        below += len(found)
        return found

    monkeypatch.setattr(Ranking, "_move", count_move)
    monkeypatch.setattr(Ranking, "below", count_below)
    for number in range(100):
        place(directory, f"{number}", 1000, wanted=2)
    assert moves < 100 * 2 * 4 * 17  # two servers, two heaps of two pools, each as high as log2(100,000)
    assert below == 0


# All of it, in any order, against plain dictionaries.

SERVERS = st.integers(0, 4)
NAMES = st.sampled_from("ab")
KEEP = 2


class DirectoryModel(RuleBasedStateMachine):
    """Any sequence of calls: the directory says what dictionaries say, and reserved bytes never leak."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = directory_of(keep=KEEP)
        self.random = Random(3)
        self.now = 0.0
        self.records: dict[int, tuple[int, int | None]] = {}  # stored, quota
        self.suspected: set[int] = set()
        self.files: dict[int, dict[str, dict[int, FileRecord]]] = {}
        self.buried = dict.fromkeys("ab", 0)
        self.promised: dict[tuple[str, int], tuple[float, int]] = {}  # until when, bytes
        self.version = 0

    def reserved(self, number: int) -> int:
        return sum(size for (_, n), (_, size) in self.promised.items() if n == number)

    def has_room(self, number: int, size: int) -> bool:
        stored, quota = self.records[number]
        return quota is None or stored + self.reserved(number) + size <= quota

    def held(self, number: int, name: str) -> dict[int, FileRecord]:
        return self.files[number].get(name, {})

    def makes_way(self, number: int, name: str) -> int:
        held = self.held(number, name)
        return held[min(held)].size if len(held) >= KEEP else 0

    def rank(self, number: int) -> tuple[int, int, int]:
        files = sum(bool(versions) for versions in self.files[number].values())
        return self.records[number][0] + self.reserved(number), files, number

    def forget(self, number: int) -> None:
        self.files.pop(number, None)
        self.suspected.discard(number)
        self.promised = {key: p for key, p in self.promised.items() if key[1] != number}

    @rule(number=SERVERS, stored=st.integers(0, 50), quota=st.one_of(st.none(), st.integers(0, 100)))
    def register(self, number: int, stored: int, quota: int | None) -> None:
        self.directory.add(server(number, stored, quota_bytes=quota))
        self.forget(number)
        self.records[number], self.files[number] = (stored, quota), {}

    @rule(number=SERVERS, heard=st.booleans())
    def leave(self, number: int, heard: bool) -> None:
        assert self.directory.remove(address(number), heard=self.now if heard else None) == (number in self.records)
        self.forget(number)
        self.records.pop(number, None)

    @rule(number=SERVERS)
    def suspect(self, number: int) -> None:
        self.directory.suspect(address(number))
        self.suspected |= {number} & self.records.keys()

    @rule(number=SERVERS)
    def trust(self, number: int) -> None:
        self.directory.trust(address(number))
        self.suspected.discard(number)

    @rule(
        number=SERVERS,
        name=NAMES,
        stored=st.integers(0, 50),
        upload=st.integers(0, 9),
        version=st.integers(1, 6),
        size=st.integers(0, 20),
    )
    def store(self, number: int, name: str, stored: int, upload: int, version: int, size: int) -> None:
        record = file(name, version, size)
        said = self.directory.update(address(number), stored_bytes=stored, stored=[record], upload=str(upload))
        assert said == (number in self.records)
        self.version = max(version, self.version)  # also of a server that is not here: this version exists
        if said:
            self.files[number].setdefault(name, {})[version] = record
            self.records[number] = stored, self.records[number][1]
            self.promised.pop((str(upload), number), None)

    @rule(number=SERVERS, name=NAMES, version=st.integers(1, 6))
    def remove(self, number: int, name: str, version: int) -> None:
        if number in self.records:
            self.files[number].get(name, {}).pop(version, None)
            stored = self.records[number][0]
            self.directory.update(address(number), stored_bytes=stored, removed=[file(name, version)])
            self.version = max(self.version, version)

    @rule(number=SERVERS, name=NAMES, version=st.integers(1, 6))
    def bury(self, number: int, name: str, version: int) -> None:
        stored = 0
        if number in self.records:
            kept = {v: f for v, f in self.held(number, name).items() if v > version}
            self.files[number][name] = kept
            stored = self.records[number][0]
        self.buried[name] = max(version, self.buried[name])
        self.directory.update(address(number), stored_bytes=stored, stored=[tombstone(name, version)])
        self.version = max(self.version, version)

    @rule(name=NAMES, size=st.integers(0, 60), wanted=st.integers(1, 3), upload=st.integers(0, 9), out=st.sets(SERVERS))
    def put(self, name: str, size: int, wanted: int, upload: int, out: set[int]) -> None:
        self.end(upload)
        fitting = {n for n in self.records if n not in out and self.has_room(n, size)}
        again = [
            n
            for n in self.records
            if self.held(n, name) and n not in out | self.suspected and self.has_room(n, size - self.makes_way(n, name))
        ]
        try:
            plan = place(
                self.directory,
                name,
                size,
                wanted=wanted,
                now=self.now,
                upload=str(upload),
                exclude={address(n) for n in out},
            )
        except NoServer:
            assert not fitting
            assert not again
            return
        numbers = [s.address[1] - 1000 for s in plan.servers]
        kept = sorted(again, key=lambda n: (-max(self.held(n, name)), self.rank(n)))[:wanted]
        new = sorted(fitting - set(kept), key=lambda n: (n in self.suspected, self.rank(n)))[: wanted - len(kept)]
        assert numbers == kept + new
        assert [d.server.address for d in plan.decisions] == [address(n) for n in new]
        self.version += 1
        assert plan.version == self.version
        for n in numbers:
            self.promised[str(upload), n] = self.now + RESERVATION_S, max(0, size - self.makes_way(n, name))

    @rule(upload=st.integers(0, 9))
    def end(self, upload: int) -> None:
        self.directory.placing.release(str(upload))
        self.promised = {key: p for key, p in self.promised.items() if key[0] != str(upload)}
        self.tick(0)

    @rule(seconds=st.sampled_from([1, 30, 120]))
    def tick(self, seconds: int) -> None:
        self.now += seconds
        self.directory.placing.expire(self.now)
        self.promised = {key: p for key, p in self.promised.items() if p[0] > self.now}

    @invariant()
    def says_what_the_dictionaries_say(self) -> None:
        assert self.directory.servers() == [
            server(n, stored, quota_bytes=quota, reserved_bytes=self.reserved(n), files=self.rank(n)[1])
            for n, (stored, quota) in sorted(self.records.items())
        ]
        expected: dict[str, list[tuple[int, list[str]]]] = {}
        for name in "ab":
            versions = {v for n in self.records for v in self.held(n, name) if v > self.buried[name]}
            for version in sorted(versions, reverse=True)[:KEEP]:
                contents = [self.held(n, name)[version].size for n in self.records if version in self.held(n, name)]
                most = max(contents, key=lambda size: (contents.count(size), size))
                holders = [
                    n for n in self.records if (f := self.held(n, name).get(version)) is not None and f.size == most
                ]
                holders.sort(key=lambda n: (n in self.suspected, n))
                expected.setdefault(name, []).append((version, [f"server{n}" for n in holders]))
        listed = self.directory.files(None, None, 9)
        assert [(loc.file.name, loc.file.version) for loc in listed] == [(n, v[0][0]) for n, v in expected.items()]
        for name, versions_of in expected.items():
            found = self.directory.versions(ANNA, name)
            assert [(loc.file.version, nodes(loc.servers)) for loc in found] == versions_of
        assert self.directory.total_files == len(
            {name for files in self.files.values() for name, held in files.items() if held}
        )

    def teardown(self) -> None:
        self.directory.placing.expire(self.now + RESERVATION_S)
        assert [s.reserved_bytes for s in self.directory.servers()] == [0] * len(self.records)
        for kept in vars(self.directory.reservations).values():
            assert kept == RESERVATION_S or not kept


TestDirectoryModel = DirectoryModel.TestCase
TestDirectoryModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
