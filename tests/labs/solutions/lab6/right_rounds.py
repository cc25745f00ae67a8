"""A record for each server; and a plan in rounds, one copy for each file that is among the rarest, until nothing is missing."""

from dataclasses import dataclass


@dataclass
class Peer:
    name: str
    heard: float


class Detector:
    def __init__(self, suspect_s, dead_s):
        self.suspect_s, self.dead_s, self.peers, self.looks = suspect_s, dead_s, [], []

    def heard(self, server, now):
        for peer in self.peers:
            if peer.name == server:
                peer.heard = now
                return
        self.peers.append(Peer(server, now))

    def forget(self, server):
        self.peers = [peer for peer in self.peers if peer.name != server]

    def look(self, now):
        asleep = self.looks and now - self.looks[-1] >= 2 * self.suspect_s
        self.looks = [now]
        states = {}
        for peer in self.peers:
            peer.heard = now if asleep else peer.heard
            silent = now - peer.heard
            states[peer.name] = (
                "alive" if silent <= self.suspect_s else "dead" if silent >= self.dead_s else "suspected"
            )
        return states


def plan_repair(files, servers, wanted):
    alive = [each for each in servers if servers[each] == "alive"]
    have = {file: {each for each in holders if servers.get(each, "dead") != "dead"} for file, holders in files.items()}
    sources = {file: sorted(there, key=lambda each: each not in alive) for file, there in have.items()}
    plan = []
    for rarity in range(1, wanted):
        for file in [each for each in have if len(have[each]) == rarity]:
            free = [each for each in alive if each not in have[file]]
            if free:
                plan.append((file, sources[file][0], free[-1]))
                have[file].add(free[-1])
    return plan
