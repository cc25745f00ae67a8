"""Each put is a new file with a rising number and a checksum; the newest whole one counts. Nothing is ever renamed."""

import hashlib


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder = disk, folder
        self.newest, self.number = {}, 0
        found = [entry.name for entry in disk.list(folder)]
        extra = []
        for file in sorted(found, key=lambda each: int(each.partition(".")[2])):
            name, _, number = file.partition(".")
            self.number = max(self.number, int(number))
            data = self._read(file)
            if data[:32] == hashlib.sha256(data[32:]).digest():
                self._sync(file)  # it shows, but a process that was killed may not have got so far
                extra.append(self.newest.get(name))
                self.newest[name] = file
            else:
                extra.append(file)
        disk.sync_folder(folder)
        for file in extra:
            self._drop(file)
        disk.sync_folder(folder)
        for name, file in list(self.newest.items()):
            if self._read(file)[32:33] == b"-":
                del self.newest[name]
                self._drop(file)
        disk.sync_folder(folder)

    def _drop(self, file):
        if file:
            self.disk.remove(f"{self.folder}/{file}")

    def _sync(self, file):
        writer = self.disk.append(f"{self.folder}/{file}")
        writer.sync()
        writer.close()

    def _read(self, file):
        reader = self.disk.open(f"{self.folder}/{file}")
        data = bytearray(reader.size)
        view = memoryview(data)
        while view and (count := reader.read_into(view)):
            view = view[count:]
        reader.close()
        return bytes(data)

    def _write(self, name, data):
        self.number += 1
        file = f"{name}.{self.number}"
        writer = self.disk.create(f"{self.folder}/{file}")
        try:
            writer.write([hashlib.sha256(data).digest(), data])
            writer.sync()
            self.disk.sync_folder(self.folder)
        except Exception:
            self._drop(file)
            raise
        finally:
            writer.close()
        return file

    def put(self, name, data):
        file = self._write(name, b"+" + data)
        old, self.newest[name] = self.newest.get(name), file
        self._drop(old)

    def get(self, name):
        return self._read(self.newest[name])[33:]

    def delete(self, name):
        if name in self.newest:
            old, stone = self.newest[name], self._write(name, b"-")
            del self.newest[name]
            self._drop(old)
            self.disk.sync_folder(self.folder)
            self._drop(stone)

    def names(self):
        return self.newest.keys()
