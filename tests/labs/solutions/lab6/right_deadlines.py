"""Keeps moments instead of silences: until when each is alive, and until when it is not dead. Spreads the targets."""

import collections


class Detector:
    def __init__(self, suspect_s, dead_s):
        self.spans = suspect_s, dead_s
        self.until, self.next_look = {}, float("inf")

    def heard(self, server, now):
        self.until[server] = [now + span for span in self.spans]

    def forget(self, server):
        if server in self.until:
            del self.until[server]

    def look(self, now):
        if now > self.next_look:
            for server in self.until:
                self.heard(server, now)
        self.next_look = now + self.spans[0]
        return {
            server: ("alive", "suspected", "dead")[sum(now > end for end in ends)]
            for server, ends in self.until.items()
        }


def plan_repair(files, servers, wanted):
    given = collections.Counter()
    by_need = collections.defaultdict(list)
    for file, holders in files.items():
        there = {holder for holder in holders if servers.get(holder) in ("alive", "suspected")}
        if there and len(there) < wanted:
            by_need[len(there)].append((file, there))
    for left in sorted(by_need):
        for file, there in by_need[left]:
            source = sorted(there, key=lambda each: (servers[each], given[each]))[0]
            free = [each for each in servers if servers[each] == "alive" and each not in there]
            free.sort(key=lambda each: given[each])
            for target in free[: wanted - left]:
                given[target] += 1
                yield file, source, target
