"""What one server has said: its record, its files, and which of its reports spoke last about each version. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..records import FileRecord, ServerRecord
from .catalogue import FileKey

__all__ = ["LATE", "Said"]

LATE = 4096  # reports that may overtake one: each of a server's tasks tells its report before its next change


@dataclass(slots=True)
class Said:
    """What one server said since it registered; `registered` and `report` are the numbers of its reports then and last."""

    record: ServerRecord
    registered: int
    report: int
    files: dict[FileKey, dict[int, FileRecord]] = field(default_factory=dict)
    last_word: dict[tuple[FileKey, int], int] = field(default_factory=dict)  # the report that spoke last, by version
    words: deque[tuple[int, tuple[FileKey, int]]] = field(default_factory=deque)  # the same as they came

    def hears(self, number: int, key: FileKey, version: int) -> bool:
        """Whether report `number` counts for a version: not if a later one spoke of it. That is remembered only while a report
        may still be late, so that what comes and goes leaves nothing behind."""
        if number < self.last_word.get((key, version), self.registered):
            return False
        if number > self.registered:
            self.last_word[key, version] = number
            self.words.append((number, (key, version)))
        while self.words and self.words[0][0] < self.report - LATE:
            old, named = self.words.popleft()
            if self.last_word.get(named) == old:
                del self.last_word[named]
        return True

    def put(self, file: FileRecord) -> None:
        """It holds this version."""
        self.files.setdefault((file.client, file.name), {})[file.version] = file

    def drop(self, key: FileKey, version: int) -> bool:
        """It does not hold this version; whether it did."""
        held = self.files.get(key, {})
        if version not in held:
            return False
        del held[version]
        if not held:
            del self.files[key]
        return True

    def versions(self) -> Iterator[FileRecord]:
        """Every version that it holds."""
        for held in self.files.values():
            yield from held.values()

    def up_to(self, key: FileKey, version: int) -> list[FileRecord]:
        """The versions of a file that it holds, up to one."""
        return [file for file in self.files.get(key, {}).values() if file.version <= version]
