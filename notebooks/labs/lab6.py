"""Lab 6: a failure detector and a plan of repairs. Your parts are Detector and plan_repair; the notebook says what for.

rpclab check lab6 lab6.py
"""


class Detector:
    """Says of each server whether it is alive, suspected or dead, by how long it has been silent."""

    def __init__(self, suspect_s, dead_s):
        """Silent for more than `suspect_s` seconds is suspected, for more than `dead_s` dead."""
        self.suspect_s, self.dead_s = suspect_s, dead_s
        self.servers = set()

    def heard(self, server, now):
        """A server has registered, or given a sign of life; `now` is in seconds."""
        self.servers.add(server)

    def forget(self, server):
        """A server has left. It may be one that is not known."""
        self.servers.discard(server)

    def look(self, now):
        """{server: "alive", "suspected" or "dead"}, for all that are known. It is called several times a second, unless this
        process itself was asleep: then nobody is to blame, and each server has its time to speak again."""
        return {server: "alive" for server in self.servers}


def plan_repair(files, servers, wanted):
    """Which copies are to be made: [(file, source, target), ...], one for each that is missing, the rarest file first.

    `files` says who holds each: {file: [server, ...]}. `servers` is what your detector says: {server: state}; a holder that is
    not in it is dead. The suspected still count as holders, and are not sent to; they send only what nobody alive has.
    """
    return []
