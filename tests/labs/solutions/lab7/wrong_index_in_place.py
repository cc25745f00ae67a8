"""Keeps the contents well, and writes the list of names over itself."""
# fault: old-gone

import json

from rpclab.errors import NoSuchFile


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder = disk, folder
        try:
            self.index = json.loads(self._read("index"))
        except NoSuchFile:
            self.index = {}
        self.number = max(self.index.values(), default=0)

    def _read(self, name):
        reader = self.disk.open(f"{self.folder}/{name}")
        data = bytearray(reader.size)
        view = memoryview(data)
        while view and (count := reader.read_into(view)):
            view = view[count:]
        reader.close()
        return bytes(data)

    def _write(self, name, data):
        try:
            self.disk.remove(f"{self.folder}/{name}")
        except NoSuchFile:
            pass
        writer = self.disk.create(f"{self.folder}/{name}")
        writer.write([data])
        writer.sync()
        writer.close()
        self.disk.sync_folder(self.folder)

    def put(self, name, data):
        self.number += 1
        self._write(str(self.number), data)
        self.index[name] = self.number
        self._write("index", json.dumps(self.index).encode())

    def get(self, name):
        return self._read(str(self.index[name]))

    def delete(self, name):
        self.index.pop(name, None)
        self._write("index", json.dumps(self.index).encode())

    def names(self):
        return list(self.index)
