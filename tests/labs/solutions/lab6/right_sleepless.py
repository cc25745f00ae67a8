"""Counts its own time: seconds that nobody was there to look at do not pass. The plan is a sorted list of wishes."""


class Detector:
    def __init__(self, suspect_s, dead_s):
        self.limits = [(dead_s, "dead"), (suspect_s, "suspected"), (-1, "alive")]
        self.most = suspect_s
        self.silent, self.now = {}, None

    def _pass(self, now):
        passed = now - (now if self.now is None else self.now)
        self.now = now
        if passed > self.most:
            self.silent = {server: 0 for server in self.silent}
        else:
            self.silent = {server: silence + passed for server, silence in self.silent.items()}

    def heard(self, server, now):
        if self.now is None or now - self.now <= self.most:
            self._pass(now)
        self.silent[server] = 0

    def forget(self, server):
        self.silent.pop(server, None)

    def look(self, now):
        self._pass(now)
        return {
            server: next(state for limit, state in self.limits if silence > limit)
            for server, silence in self.silent.items()
        }


def plan_repair(files, servers, wanted):
    wishes = []
    for number, (file, holders) in enumerate(files.items()):
        there = [each for each in holders if servers.get(each) in ("alive", "suspected")]
        there.sort(key=lambda each: servers[each])
        free = [each for each in sorted(servers) if servers[each] == "alive" and each not in there]
        if there:
            wishes += [(len(there), number, file, there[0], target) for target in free[: max(0, wanted - len(there))]]
    return [wish[2:] for wish in sorted(wishes)]
