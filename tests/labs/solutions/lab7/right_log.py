"""One log of records with checksums, written anew at each start: what comes after a record that is not whole does not count."""

import hashlib
import json

from rpclab.errors import DiskFull, NoSuchFile


class Store:
    def __init__(self, disk, folder):
        self.disk, self.log, self.folder = disk, f"{folder}/log", folder
        self.data, self.broken = {}, False
        self._replay()
        self._begin_anew()

    def _read(self):
        try:
            reader = self.disk.open(self.log)
        except NoSuchFile:
            return b""
        buffer, done = bytearray(reader.size), 0
        while done < reader.size:
            done += reader.read_into(memoryview(buffer)[done:])
        reader.close()
        return bytes(buffer)

    def _replay(self):
        for line in self._read().split(b"\n"):
            check, _, record = line.partition(b" ")
            if check != hashlib.sha256(record).hexdigest().encode():
                break
            name, data = json.loads(record)
            self.data.pop(name, None)
            if data is not None:
                self.data[name] = bytes.fromhex(data)

    def _record(self, name, data):
        record = json.dumps([name, None if data is None else data.hex()]).encode()
        return hashlib.sha256(record).hexdigest().encode() + b" " + record + b"\n"

    def _begin_anew(self):
        for old in (self.log + ".new",):
            try:
                self.disk.remove(old)
            except NoSuchFile:
                pass
        writer = self.disk.create(self.log + ".new")
        for name, data in self.data.items():
            writer.write([self._record(name, data)])
        writer.sync()
        writer.close()
        self.disk.rename(self.log + ".new", self.log)
        self.disk.sync_folder(self.folder)
        self.broken = False

    def _append(self, name, data):
        if self.broken:
            self._begin_anew()
        record = self._record(name, data)
        if len(record) > self.disk.free_bytes(self.folder) // 2:
            raise DiskFull("no room for a record, and to write the log anew after it")
        writer = self.disk.append(self.log)
        try:
            writer.write([record])
            writer.sync()
        except Exception:
            self.broken = True
            raise
        finally:
            writer.close()

    def put(self, name, data):
        try:
            self._append(name, bytes(data))
        except Exception:
            self._begin_anew()
            raise
        self.data[name] = bytes(data)

    def get(self, name):
        return self.data[name]

    def delete(self, name):
        if name in self.data:
            self._append(name, None)
            del self.data[name]

    def names(self):
        return list(self.data)
