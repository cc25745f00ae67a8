"""A dictionary, which is written now and then, as JSON."""
# fault: forgets


class Store:
    def __init__(self, disk, folder):
        self.disk, self.folder = disk, folder
        self.contents = {}

    def put(self, name, data):
        self.contents[name] = bytes(data)

    def get(self, name):
        return self.contents[name]

    def delete(self, name):
        self.contents.pop(name, None)

    def names(self):
        return sorted(self.contents)
