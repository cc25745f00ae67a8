"""The original's three programs, written from its description with sockets and JSON alone, faults and all. Nothing here is ours.

python original.py manager             serves until it is killed; prints its port
python original.py server PORT FOLDER  registers with the manager at PORT, stores in FOLDER; prints its port
python original.py client PORT FILE    sends FILE by the manager at PORT; prints what the server answers
"""

import json
import os
import socket
import sys
import threading

SIZE = 65536


def call(sock, name, *args, mark=None):
    sock.sendall(json.dumps([name, args, {} if mark is None else mark]).encode())
    return json.loads(sock.recv(SIZE))


def send(address, path, mark=None):
    with socket.create_connection(tuple(address)) as sock:
        print(call(sock, "sendFilename", os.path.basename(path), mark=mark), flush=True)
        with open(path, "rb") as file:
            while piece := file.read(SIZE):
                sock.sendall(piece)
        sock.sendall(b"EOF")
        return json.loads(sock.recv(SIZE))


def serve(handler):
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=handler, args=(listening.accept()[0],), daemon=True).start()


def manager():
    servers = {}

    def add_server(address, capacity):
        servers["{}:{}".format(*address)] = {"address": address, "capacity": capacity}

    def remove_server(address):
        del servers["{}:{}".format(*address)]

    def update_server(address, capacity):
        servers["{}:{}".format(*address)]["capacity"] = capacity

    def get_server(address=None):
        others = [each for each in servers.values() if each["address"] != address]
        return min(others, key=lambda each: each["capacity"])["address"]

    methods = {"string": lambda text: text, "addServer": add_server, "removeServer": remove_server,
               "updateServer": update_server, "getServer": get_server, "getQuantity": lambda: len(servers)}  # fmt: skip

    def handle(sock):
        while data := sock.recv(SIZE):
            try:
                name, args, kwargs = json.loads(data)
                result = methods[name](*args, **kwargs)
            except Exception as error:
                result = str(error)
            sock.sendall(json.dumps(result).encode())

    serve(handle)


def server(port, folder):
    to_manager = socket.create_connection(("127.0.0.1", int(port)))

    def receive(sock, name, mark):
        sock.sendall(json.dumps("Filename received.").encode())
        with open(os.path.join(folder, name), "wb") as file:
            while not (piece := sock.recv(SIZE)).endswith(b"EOF"):
                file.write(piece)
            file.write(piece[:-3])
        call(to_manager, "updateServer", own, sum(each.stat().st_size for each in os.scandir(folder)))
        sock.sendall(json.dumps("File received successfully!").encode())
        print("received", name, "from a server" if mark == "backup" else "from a client", flush=True)
        if mark != "backup" and call(to_manager, "getQuantity") > 1:
            print(send(call(to_manager, "getServer", own), os.path.join(folder, name), "backup"), flush=True)

    def handle(sock):
        while data := sock.recv(SIZE):
            name, args, mark = json.loads(data)
            if name == "sendFilename":
                receive(sock, args[0], mark)
            else:
                sock.sendall(json.dumps(args[0] if name == "string" else folder).encode())

    listening = socket.create_server(("127.0.0.1", 0))
    own = ["127.0.0.1", listening.getsockname()[1]]
    call(to_manager, "addServer", own, 0)
    print(own[1], flush=True)
    while True:
        threading.Thread(target=handle, args=(listening.accept()[0],), daemon=True).start()


def client(port, path):
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        print(call(sock, "string", "Connection test."), flush=True)
        print(send(call(sock, "getServer"), path), flush=True)


if __name__ == "__main__":
    {"manager": manager, "server": server, "client": client}[sys.argv[1]](*sys.argv[2:])
