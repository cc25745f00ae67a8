"""Says that all is well when the disk is full."""
# fault: swallows

from rpclab.errors import NoSuchFile


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder = disk, folder
        for entry in disk.list(folder):
            if "." in entry.name:
                disk.remove(f"{folder}/{entry.name}")
        disk.sync_folder(folder)

    def _forget(self, path):
        try:
            self.disk.remove(path)
        except NoSuchFile:
            pass

    def put(self, name, data):
        path = f"{self.folder}/{name}"
        fresh = path + ".new"
        self._forget(fresh)
        writer = self.disk.create(fresh)
        try:
            writer.write([data])
            writer.sync()
        except Exception as error:
            print("could not put", name, error)
            self._forget(fresh)
            return
        finally:
            writer.close()
        self.disk.rename(fresh, path)
        self.disk.sync_folder(self.folder)

    def get(self, name):
        try:
            reader = self.disk.open(f"{self.folder}/{name}")
        except NoSuchFile:
            raise KeyError(name) from None
        try:
            data = b""
            buffer = bytearray(65536)
            while count := reader.read_into(memoryview(buffer)):
                data += buffer[:count]
            return data
        finally:
            reader.close()

    def delete(self, name):
        self._forget(f"{self.folder}/{name}")
        self.disk.sync_folder(self.folder)

    def names(self):
        return [entry.name for entry in self.disk.list(self.folder) if "." not in entry.name]
