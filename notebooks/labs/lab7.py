"""Lab 7: a crash-safe store. Your part is the class Store; the notebook says what it is for.

rpclab check lab7 lab7.py
"""

import contextlib

from rpclab.errors import NoSuchFile


class Store:
    """Keeps bytes by name. Its methods are called one at a time."""

    def __init__(self, disk, folder):
        """`folder` is there, and yours alone. Perhaps an earlier Store has used it, until the power failed."""
        self.disk, self.folder = disk, folder

    def put(self, name, data):
        """Keep these bytes under the name: it returns once they survive a power cut. All of them or none; until then the old
        ones. A name is made of letters, digits and hyphens. If the disk refuses, what it raises comes out of this."""
        self.delete(name)
        writer = self.disk.create(f"{self.folder}/{name}")
        writer.write([data])
        writer.close()

    def get(self, name):
        """The bytes under a name. Raises KeyError if there are none."""
        try:
            reader = self.disk.open(f"{self.folder}/{name}")
        except NoSuchFile:
            raise KeyError(name) from None
        data, buffer = b"", bytearray(65536)
        while count := reader.read_into(memoryview(buffer)):
            data += buffer[:count]
        reader.close()
        return data

    def delete(self, name):
        """Nothing is kept under the name any more, for good, when this returns."""
        with contextlib.suppress(NoSuchFile):
            self.disk.remove(f"{self.folder}/{name}")

    def names(self):
        """The names that something is kept under."""
        return [entry.name for entry in self.disk.list(self.folder)]
