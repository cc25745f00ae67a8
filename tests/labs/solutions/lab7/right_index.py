"""Contents in files that never change, and an index that says which of them counts: replaced by a rename."""

import json

from rpclab.errors import NoSuchFile, StorageError


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder = disk, folder
        try:
            self.index = json.loads(self._read("index"))
        except NoSuchFile:
            self.index = {}
        self.number = max(self.index.values(), default=0)
        self._clean()

    def _clean(self):
        """Remove what the index does not name."""
        known = {"index", *map(str, self.index.values())}
        for entry in self.disk.list(self.folder):
            if entry.name not in known:
                self.disk.remove(f"{self.folder}/{entry.name}")

    def _read(self, name):
        reader = self.disk.open(f"{self.folder}/{name}")
        data = bytearray()
        piece = bytearray(4096)
        while count := reader.read_into(memoryview(piece)):
            data.extend(piece[:count])
        reader.close()
        return bytes(data)

    def _write(self, name, data):
        writer = self.disk.create(f"{self.folder}/{name}")
        try:
            writer.write([data])
            writer.sync()
        finally:
            writer.close()

    def _switch(self, index):
        self._write("index-new", json.dumps(index).encode())
        self.disk.rename(f"{self.folder}/index-new", f"{self.folder}/index")
        self.index = index
        self.disk.sync_folder(self.folder)
        self._clean()

    def put(self, name, data):
        self.number += 1
        try:
            self._write(str(self.number), data)
            self.disk.sync_folder(self.folder)
            self._switch({**self.index, name: self.number})
        except StorageError:
            self._clean()
            raise

    def get(self, name):
        return self._read(self.index[name])

    def delete(self, name):
        self._switch({each: number for each, number in self.index.items() if each != name})

    def names(self):
        return list(self.index)
