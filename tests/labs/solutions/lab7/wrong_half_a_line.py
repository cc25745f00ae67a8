"""A log with a line for each change, and the belief that each line is whole."""
# fault: cannot-start

import json

from rpclab.errors import NoSuchFile


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder, self.log = disk, folder, f"{folder}/log"
        self.contents = {}
        for line in self._read().splitlines():
            self._apply(*json.loads(line))

    def _read(self):
        try:
            reader = self.disk.open(self.log)
        except NoSuchFile:
            return b""
        data = bytearray(reader.size)
        view = memoryview(data)
        while view and (count := reader.read_into(view)):
            view = view[count:]
        reader.close()
        return bytes(data)

    def _apply(self, name, text):
        if text is None:
            self.contents.pop(name, None)
        else:
            self.contents[name] = bytes.fromhex(text)

    def _append(self, name, text):
        writer = self.disk.append(self.log)
        writer.write([json.dumps([name, text]).encode() + b"\n"])
        writer.sync()
        writer.close()
        self.disk.sync_folder(self.folder)
        self._apply(name, text)

    def put(self, name, data):
        self._append(name, data.hex())

    def get(self, name):
        return self.contents[name]

    def delete(self, name):
        self._append(name, None)

    def names(self):
        return list(self.contents)
