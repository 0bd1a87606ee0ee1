"""The clients of the memcached test: four threads work on disjoint keys of one server, so that what each of them is
answered, and what the server counts in the end, does not depend on who runs first. Prints all of it."""

import hashlib
import socket
import sys
import threading

CLIENTS = 4
ITEMS = 12000


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.input = self.socket.makefile("rb")

    def line(self):
        line = self.input.readline()
        if not line.endswith(b"\n"):
            raise SystemExit("memcached closed the connection")
        return line.rstrip(b"\r\n")

    def ask(self, command, body=None):
        self.socket.sendall(command.encode() + b"\r\n" + (b"" if body is None else body + b"\r\n"))
        return self.line()

    def get(self, *keys):
        """The items that are there: {key: (flags, cas, value)}."""
        found = {}
        answer = self.ask("gets " + " ".join(keys))
        while answer != b"END":
            _, key, flags, size, cas = answer.split()
            value = self.input.read(int(size) + 2)[:-2]
            found[key.decode()] = (int(flags), int(cas), value)
            answer = self.line()
        return found

    def stats(self):
        found = {}
        answer = self.ask("stats")
        while answer != b"END":
            _, name, value = answer.decode().split(" ", 2)
            found[name] = value
            answer = self.line()
        return found


def value(client, i):
    size = i * 37 % 3000 + 1 if i % 300 else 40000 + i * 131 % 900000
    seed = b"%d/%d;" % (client, i)
    return (seed * (size // len(seed) + 1))[:size]


def work(path, client, log):
    server = Connection(path)
    digest = hashlib.sha256()

    def say(*parts):
        digest.update(repr(parts).encode())

    def read_all(expected):
        keys = sorted(expected)
        for first in range(0, len(keys), 25):
            found = server.get(*keys[first:first + 25])
            for key in keys[first:first + 25]:
                flags, _, stored = found.pop(key, (None, None, None))
                if stored != expected[key]:
                    raise SystemExit(f"client {client}: {key} is not what was stored")
                say(key, flags, hashlib.md5(stored).hexdigest())
            if found:
                raise SystemExit(f"client {client}: answers to other questions: {list(found)}")

    expected = {}
    for i in range(ITEMS):
        key, stored = f"{client}:{i}", value(client, i)
        say(server.ask(f"set {key} {i} 0 {len(stored)}", stored))
        expected[key] = stored
    read_all(expected)
    for i in range(0, ITEMS, 3):
        key = f"{client}:{i}"
        if i % 2:
            say(server.ask(f"append {key} 0 0 6", b"-after"))
            expected[key] += b"-after"
        else:
            say(server.ask(f"delete {key}"))
            del expected[key]
    for i in range(1, ITEMS, 5):
        key, stored = f"{client}:{i}", value(client, ITEMS - i)
        if key in expected:
            _, cas, _ = server.get(key)[key]
            say(server.ask(f"cas {key} {i} 0 {len(stored)} {cas}", stored))
            say(server.ask(f"cas {key} {i} 0 3 {cas}", b"old"))
            expected[key] = stored
    say(server.ask(f"add {client}:count 0 0 1", b"0"))
    for i in range(1000):
        say(server.ask(f"incr {client}:count {i}"))
    expected[f"{client}:count"] = b"499500"
    say(server.get(f"{client}:missing"))
    read_all(expected)
    log[client] = f"client {client}: {len(expected)} items, answers {digest.hexdigest()}"


def main():
    path = sys.argv[1]
    log = [None] * CLIENTS
    threads = [threading.Thread(target=work, args=(path, client, log)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if None in log:
        sys.exit("a client failed")
    print("\n".join(log))
    stats = Connection(path).stats()
    for name in ("curr_items", "total_items", "bytes", "evictions", "cmd_get", "cmd_set", "get_hits", "get_misses",
                 "delete_hits", "incr_hits", "cas_hits", "cas_badval", "total_connections", "threads"):
        print(name, stats[name])


main()
