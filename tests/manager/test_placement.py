"""The policies, and the orders of servers that make them cheap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpclab.config import Address
from rpclab.errors import PlacementError, UsageError
from rpclab.manager.candidates import Candidates, Pool, Rank, Ranking, rank
from rpclab.manager.placement import POLICIES, Request, Servers, copyset_groups, decide, policy_named
from rpclab.records import ServerRecord

REQUEST = Request("anna/notes.txt", 100, 0)
SIZES = st.integers(0, 20)


def server(number: int, stored: int = 0, **more: object) -> ServerRecord:
    return ServerRecord(f"server{number}", ("127.0.0.1", 1000 + number), stored, **more)  # type: ignore[arg-type]


def pool_of(*stored: int) -> Pool:
    pool = Pool()
    for number, size in enumerate(stored):
        pool.put(server(number, size))
    return pool


@pytest.mark.parametrize("name", POLICIES)
@given(stored=st.lists(SIZES, min_size=1, max_size=30), seed=st.integers(), blocked=st.sets(st.integers(0, 29)))
def test_every_policy_picks_one_of_the_servers_and_the_same_one_of_a_list(
    name: str, stored: list[int], seed: int, blocked: set[int]
) -> None:
    pool = pool_of(*stored)
    addresses = [("127.0.0.1", 1000 + number) for number in blocked]
    candidates = pool.candidates(exclude=frozenset(addresses))
    if not candidates:
        return
    picked = POLICIES[name](candidates, REQUEST, Random(seed))
    assert picked in candidates
    assert picked.address not in addresses
    if name != "round-robin" or not blocked:  # a round goes over all the servers, a list has only those left
        assert POLICIES[name](list(candidates), REQUEST, Random(seed)) == picked


@given(st.lists(st.tuples(SIZES, SIZES, SIZES), min_size=1))
def test_fewest_bytes_counts_reserved_bytes_then_files_then_the_name(facts: list[tuple[int, int, int]]) -> None:
    servers = [server(n, a, reserved_bytes=b, files=c) for n, (a, b, c) in enumerate(facts)]
    expected = sorted(servers, key=lambda s: (s.stored_bytes + s.reserved_bytes, s.files, s.node))[0]
    assert POLICIES["fewest-bytes"](servers, REQUEST, Random()) == expected


def test_fewest_bytes_looks_at_no_other_server() -> None:
    class NeverRead(Candidates):
        def __iter__(self) -> Iterator[ServerRecord]:
            raise AssertionError("read every server")

    assert POLICIES["fewest-bytes"](NeverRead(pool_of(3, 1, 2)), REQUEST, Random()).node == "server1"


def test_round_robin_gives_each_server_its_turn() -> None:
    pool = pool_of(*[0] * 4)
    turns = [POLICIES["round-robin"](pool.candidates(), Request("", 0, n), Random()).node for n in range(8)]
    assert turns == ["server0", "server1", "server2", "server3"] * 2


def test_round_robin_with_two_copies_is_fair_too() -> None:
    pool, turns, number = pool_of(*[0] * 5), Counter[str](), 0
    for _ in range(20):
        taken: set[Address] = set()
        for _ in range(2):
            chosen = POLICIES["round-robin"](pool.candidates(exclude=taken), Request("", 0, number), Random())
            taken.add(chosen.address)
            turns[chosen.node] += 1
            number += 1
    assert set(turns.values()) == {8}


@given(st.integers(1, 30), st.sets(st.integers(0, 29)), st.integers(0, 100))
def test_a_blocked_servers_turn_goes_to_the_next(count: int, blocked: set[int], number: int) -> None:
    pool = pool_of(*[0] * count)
    order = [s.node for s in pool.candidates()]
    candidates = pool.candidates(exclude={("127.0.0.1", 1000 + n) for n in blocked})
    if candidates:
        free = {s.node for s in candidates}
        expected = next(node for node in order[number % count :] + order if node in free)
        assert candidates.turn(number).node == expected


def test_random_gives_every_server_the_same_chance() -> None:
    random, candidates = Random(5), pool_of(*range(4)).candidates()
    counts = Counter(POLICIES["random"](candidates, REQUEST, random).node for _ in range(4000))
    assert all(900 < counts[f"server{n}"] < 1100 for n in range(4))  # 4 standard deviations: 110


def test_two_choices_never_picks_the_fullest() -> None:
    random, candidates = Random(5), pool_of(4, 1, 9, 2).candidates()
    counts = Counter(POLICIES["two-choices"](candidates, REQUEST, random).node for _ in range(3000))
    assert counts["server2"] == 0
    assert 1400 < counts["server1"] < 1600  # the emptiest is one of the two in half of all draws


def test_rendezvous_moves_only_what_the_new_server_takes() -> None:
    ten = [server(n) for n in range(10)]
    files = [Request(f"anna/{n}", 0, 0) for n in range(2000)]
    before = [POLICIES["rendezvous"](ten, file, Random()) for file in files]
    after = [POLICIES["rendezvous"]([*ten, server(10)], file, Random()) for file in files]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert {s.node for s in moved} == {"server10"}
    assert abs(len(moved) / len(files) - 1 / 11) < 0.02  # 3 standard deviations


def test_rendezvous_is_the_same_in_every_process() -> None:
    servers = [server(n) for n in range(5)]
    names = "".join(POLICIES["rendezvous"](servers, Request(f"anna/{n}", 0, 0), Random()).node[-1] for n in range(12))
    assert names == "201042422330"


def placed_by_copysets(pool: Pool, file: str, copies: int, random: Random) -> tuple[str, ...]:
    chosen: list[ServerRecord] = []
    for number in range(copies):
        candidates = pool.candidates(exclude={s.address for s in chosen})
        request = Request(file, 1, number, copies, tuple(s.node for s in chosen))
        chosen.append(POLICIES["copysets"](candidates, request, random))
    return tuple(sorted(s.node for s in chosen))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 9))
def test_the_groups_of_an_order_hold_every_server_once_and_enough_of_them(count: int, copies: int, number: int) -> None:
    nodes = [f"server{n}" for n in range(count)]
    groups = copyset_groups(nodes, copies, number)
    assert sorted(node for group in groups for node in group) == sorted(nodes)
    assert all(copies <= len(group) < 2 * copies for group in groups) or (len(groups) == 1 and count < copies)
    assert groups == copyset_groups(reversed(nodes), copies, number)


def test_copysets_use_few_sets_of_servers_where_random_uses_many() -> None:
    pool, random = pool_of(*[0] * 30), Random(5)
    pool_nodes = [s.node for s in pool.candidates()]
    used = {placed_by_copysets(pool, f"anna/{n}", 3, random) for n in range(600)}
    groups = {tuple(sorted(g)) for k in range(5) for g in copyset_groups(pool_nodes, 3, k)}
    assert used == groups and 45 < len(groups) <= 50  # 10 partners: 5 orders of 10 groups; random would use 580 of 4060
    partners = {node: {other for group in used if node in group for other in group} - {node} for node in pool_nodes}
    numbers = [len(others) for others in partners.values()]
    assert max(numbers) == 10 and sum(numbers) / 30 > 8  # now and then two orders pair the same servers


def test_a_copy_that_is_made_anew_goes_back_into_its_group() -> None:
    pool, random = pool_of(*[0] * 30), Random(5)
    for n in range(50):
        group = placed_by_copysets(pool, f"anna/{n}", 3, random)
        left = [s for s in pool.candidates() if s.node in group[:2]]
        request = Request(f"anna/{n}", 1, 0, 3, tuple(s.node for s in left))
        again = POLICIES["copysets"](pool.candidates(exclude={s.address for s in left}), request, random)
        assert again.node == group[2]


def test_a_group_that_is_full_or_gone_is_completed_by_the_next() -> None:
    pool = pool_of(*[0] * 6)
    (group, *_) = [g for g in copyset_groups([s.node for s in pool.candidates()], 3, 0)]
    servers = [s for s in pool.candidates() if s.node not in group]
    request = Request("anna/a", 1, 0, 3, tuple(group[:2]))
    assert POLICIES["copysets"](servers, request, Random(1)) in servers


def test_an_unknown_policy_is_told_the_names() -> None:
    with pytest.raises(
        UsageError, match=r"'best'.*fewest-bytes, random, round-robin, two-choices, rendezvous, copysets"
    ):
        policy_named("best")
    assert policy_named("random") is POLICIES["random"]


@pytest.mark.parametrize(
    "answer", [server(1, 5), server(1).address, list(server(1).address), "127.0.0.1:1001", "server1"], ids=repr
)
def test_a_students_policy_may_name_the_server_in_any_way(answer: object) -> None:
    def mine(servers: Servers, request: Request, random: Random) -> object:
        return answer

    servers = pool_of(3, 5, 7).candidates()
    assert decide(mine, servers, REQUEST, Random()) == servers[1]  # type: ignore[arg-type]
    assert decide(mine, list(servers), REQUEST, Random()) == servers[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "None .is there a `return`"),
        (5, r"5 \(a int\)"),
        ("server9", r"'server9' \(a str\)"),
        (("127.0.0.1", 9), r".*, 9\) \(a tuple\)"),
        (server(1, 6), "the server server1 at 127.0.0.1:1001"),
        ([[]], r"\[\[\]\] \(a list\)"),
    ],
)
def test_a_policy_that_returns_something_else_is_told_what(answer: object, text: str) -> None:
    def mine(servers: Servers, request: Request, random: Random) -> object:
        return answer

    with pytest.raises(PlacementError, match=f"policy mine returned {text}.*none of the 3 servers.*it must return"):
        decide(mine, pool_of(3, 5, 7).candidates(), REQUEST, Random())  # type: ignore[arg-type]


def test_a_policy_may_not_pick_an_excluded_server() -> None:
    with pytest.raises(PlacementError, match="'server1'"):
        decide(
            lambda servers, request, random: "server1",  # type: ignore[arg-type, return-value]
            pool_of(3, 5, 7).candidates(exclude={server(1).address}),
            REQUEST,
            Random(),
        )


def test_a_policy_that_raises_is_named_with_its_exception() -> None:
    def mine(servers: Servers, request: Request, random: Random) -> ServerRecord:
        return servers[len(servers)]

    with pytest.raises(PlacementError, match="policy mine raised IndexError: ") as caught:
        decide(mine, pool_of(3, 5).candidates(), REQUEST, Random())
    assert isinstance(caught.value.__cause__, IndexError)


class Unshowable(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (BaseException("odd"), "BaseException: odd"),
        (Unshowable(), r"Unshowable: \(its text cannot be shown: __str__ raised RuntimeError"),
    ],
    ids=["SystemExit", "BaseException", "Unshowable"],
)
def test_a_policy_is_named_whatever_it_raises(error: BaseException, text: str) -> None:
    def mine(servers: Servers, request: Request, random: Random) -> ServerRecord:
        raise error

    with pytest.raises(PlacementError, match=f"policy mine raised {text}"):
        decide(mine, pool_of(3, 5).candidates(), REQUEST, Random())


def test_a_policy_can_be_interrupted() -> None:
    def mine(servers: Servers, request: Request, random: Random) -> ServerRecord:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide(mine, pool_of(3, 5).candidates(), REQUEST, Random())


@given(st.lists(st.tuples(st.integers(0, 12), st.one_of(st.none(), SIZES))))
def test_a_ranking_is_a_dictionary_that_is_always_sorted(steps: list[tuple[int, int | None]]) -> None:
    ranking, model = Ranking(), dict[Address, Rank]()
    for number, value in steps:
        address = ("127.0.0.1", number)
        if value is None:
            ranking.remove(address)
            model.pop(address, None)
        else:
            model[address] = (value, 0, "", address)
            ranking.put(model[address])
        assert list(ranking.ascending()) == sorted(model.values())
        limit: Rank = (10, 0, "", ("", 0))
        assert sorted(ranking.below(limit)) == sorted(a for a in model if model[a] < limit)
        assert len(ranking) == len(model)


def test_a_change_in_a_ranking_compares_few_entries() -> None:
    compared = 0

    class Counted(str):
        __slots__ = ()

        def __lt__(self, other: str) -> bool:
            nonlocal compared
            compared += 1
            return str.__lt__(self, other)

        __hash__ = str.__hash__

    ranking, random, depth = Ranking(), Random(7), 12
    for step in range(3 * 2**depth):
        number = random.randrange(2**depth)
        compared = 0
        ranking.put((0, 0, Counted(random.random()), ("127.0.0.1", number)))
        assert compared <= 2 * depth + 2, step
        compared = 0
        ranking.remove(("127.0.0.1", random.randrange(2**depth)))
        assert compared <= 2 * depth + 2, step
        compared = 0
        next(ranking.ascending(), None)
        assert compared == 0


@given(st.lists(SIZES, max_size=20), st.sets(st.integers(0, 25)), st.integers(-25, 25), st.slices(20))
def test_candidates_are_the_list_of_those_not_blocked(
    stored: list[int], blocked: set[int], index: int, part: slice
) -> None:
    pool = pool_of(*stored)
    exclude = {("127.0.0.1", 1000 + n) for n in blocked}
    candidates = pool.candidates(exclude=exclude)
    model = sorted((server(n, s) for n, s in enumerate(stored) if n not in blocked), key=lambda s: s.node)
    assert list(candidates) == model
    assert len(candidates) == len(model)
    assert candidates[part] == model[part]
    assert all(s in candidates for s in model)
    assert all(server(n, s) not in candidates for n, s in enumerate(stored) if n in blocked)
    assert list(candidates.ascending()) == sorted(model, key=rank)
    if -len(model) <= index < len(model):
        assert candidates[index] == model[index]
    else:
        with pytest.raises(IndexError):
            candidates[index]
    if model:
        assert candidates.fewest() == min(model, key=rank)


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.one_of(st.none(), st.tuples(SIZES, SIZES, st.one_of(st.none(), SIZES)))),
        max_size=40,
    ),
    st.sets(st.integers(0, 6)),
    SIZES,
)
def test_a_pool_after_any_changes_knows_who_has_room_and_who_has_fewest(
    steps: list[tuple[int, tuple[int, int, int | None] | None]], excluded: set[int], size: int
) -> None:
    pool, model = Pool("rpclab"), dict[int, ServerRecord]()
    for number, facts in steps:
        model.pop(number, None)
        if facts is None:
            pool.remove(server(number).address)
        else:
            stored, reserved, quota = facts
            wire = "document" if stored == 20 else "rpclab"
            record = server(number, stored, reserved_bytes=reserved, quota_bytes=quota, wire=wire)
            pool.put(record)
            if wire == "rpclab":
                model[number] = record
        fitting = [
            s
            for n, s in sorted(model.items())
            if n not in excluded
            and (s.quota_bytes is None or s.stored_bytes + s.reserved_bytes + size <= s.quota_bytes)
        ]
        candidates = pool.candidates(exclude={server(n).address for n in excluded}, size=size)
        assert list(candidates) == fitting
        assert list(candidates.ascending()) == sorted(fitting, key=rank)
