"""The catalogue: which server holds which version, what is deleted, and the order of it all."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rpclab.errors import NameCollision
from rpclab.manager.catalogue import Catalogue, FileKey
from rpclab.records import FileRecord

from .small import ANNA, address, file

A = (ANNA, "a")


def test_versions_and_their_copies_are_known_by_file() -> None:
    catalogue = Catalogue()
    for number, version in ((0, 1), (0, 3), (1, 3), (2, 2)):
        catalogue.put(address(number), file("a", version))
    assert catalogue.live(A) == [3, 2, 1]
    assert catalogue.copies(A, 3) == {address(0): file("a", 3), address(1): file("a", 3)}
    assert catalogue.holders(A) == {address(0), address(1), address(2)}
    assert len(catalogue) == 1


def test_what_nobody_holds_is_unknown() -> None:
    catalogue = Catalogue()
    assert (catalogue.live(A), catalogue.copies(A, 1), catalogue.holders(A), catalogue.lying(A)) == ([], {}, set(), {})
    catalogue.put(address(0), file("a"))
    catalogue.drop(address(0), A, 1)
    assert (len(catalogue), list(catalogue.after(None)), catalogue.lying(A)) == (0, [], {})


def test_a_tombstone_covers_the_versions_up_to_its_own_whenever_they_come() -> None:
    catalogue = Catalogue()
    catalogue.put(address(0), file("a", 2))
    assert catalogue.buried(A) == 0
    assert catalogue.bury(A, 3)
    assert not catalogue.bury(A, 3)
    assert not catalogue.bury(A, 1)
    for version in (1, 3, 4):
        catalogue.put(address(0), file("a", version))
    assert (catalogue.buried(A), catalogue.live(A)) == (3, [4])
    assert sorted(catalogue.lying(A)) == [1, 2, 3, 4]


def test_of_copies_that_differ_those_with_the_most_count_and_of_as_many_always_the_same() -> None:
    catalogue = Catalogue()
    for number, digest in enumerate("yxy"):
        catalogue.put(address(number), file("a", digest=digest))
    assert set(catalogue.copies(A, 1)) == {address(0), address(2)}
    catalogue.put(address(3), file("a", digest="x"))
    assert set(catalogue.copies(A, 1)) == {address(0), address(2)}
    catalogue.put(address(4), file("a", size=99, digest="x"))
    catalogue.put(address(5), file("a", digest="x"))
    assert set(catalogue.copies(A, 1)) == {address(1), address(3), address(5)}


def test_a_name_is_in_use_while_any_version_lies_somewhere() -> None:
    catalogue = Catalogue()
    catalogue.put(address(0), file("a", 1))
    catalogue.put(address(0), file("a", 2))
    catalogue.drop(address(0), A, 2)
    with pytest.raises(NameCollision):
        catalogue.check_name("anna/a/b")
    catalogue.drop(address(0), A, 1)
    catalogue.check_name("anna/a/b")


KEYS = st.tuples(st.sampled_from(["anna", "ben"]), st.sampled_from("abc"))


class CatalogueModel(RuleBasedStateMachine):
    """Any copies and tombstones: the same as in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = Catalogue()
        self.model: dict[tuple[FileKey, int, int], FileRecord] = {}
        self.buried: dict[FileKey, int] = {}

    @rule(key=KEYS, version=st.integers(1, 3), number=st.integers(0, 2), digest=st.sampled_from("xy"))
    def put(self, key: FileKey, version: int, number: int, digest: str) -> None:
        record = file(key[1], version, client=key[0], digest=digest)
        self.catalogue.put(address(number), record)
        self.model[key, version, number] = record

    @rule(which=st.integers(0, 50))
    def drop(self, which: int) -> None:
        if self.model:
            key, version, number = sorted(self.model)[which % len(self.model)]
            self.catalogue.drop(address(number), key, version)
            del self.model[key, version, number]

    @rule(key=KEYS, version=st.integers(1, 3))
    def bury(self, key: FileKey, version: int) -> None:
        assert self.catalogue.bury(key, version) == (version > self.buried.get(key, 0))
        self.buried[key] = max(version, self.buried.get(key, 0))

    @rule(key=KEYS)
    def page(self, key: FileKey) -> None:
        assert list(self.catalogue.after(key)) == sorted({each for each, _, _ in self.model if each > key})

    @invariant()
    def says_what_the_dictionary_says(self) -> None:
        keys = sorted({key for key, _, _ in self.model})
        assert (len(self.catalogue), list(self.catalogue.after(None))) == (len(keys), keys)
        for key in keys:
            there = {(v, n): f for (each, v, n), f in self.model.items() if each == key}
            live = sorted({v for v, _ in there if v > self.buried.get(key, 0)}, reverse=True)
            assert self.catalogue.live(key) == live
            assert self.catalogue.holders(key) == {address(n) for _, n in there}
            for version in live:
                digests = sorted(f.digest for (v, _), f in there.items() if v == version)
                most = max(digests, key=lambda digest: (digests.count(digest), digest))
                expected = {address(n): f for (v, n), f in there.items() if v == version and f.digest == most}
                assert self.catalogue.copies(key, version) == expected


TestCatalogueModel = CatalogueModel.TestCase
TestCatalogueModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
