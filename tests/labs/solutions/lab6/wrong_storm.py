"""Repairs what a suspected server holds."""
# fault: storm


class Detector:
    def __init__(self, suspect_s, dead_s):
        self.suspect_s, self.dead_s = suspect_s, dead_s
        self.last = {}
        self.looked = None

    def heard(self, server, now):
        self.last[server] = now

    def forget(self, server):
        self.last.pop(server, None)

    def look(self, now):
        if self.looked is not None and now - self.looked > self.suspect_s:
            self.last = dict.fromkeys(self.last, now)
        self.looked = now
        return {server: self.state(now - heard) for server, heard in self.last.items()}

    def state(self, silence):
        if silence > self.dead_s:
            return "dead"
        return "suspected" if silence > self.suspect_s else "alive"


def plan_repair(files, servers, wanted):
    plan = []
    counted = {file: [each for each in files[file] if servers.get(each) == "alive"] for file in files}
    for file in sorted(files, key=lambda each: len(counted[each])):
        here = counted[file]
        if not here:
            continue
        source = min(here, key=lambda each: servers[each] != "alive")
        others = [each for each in servers if servers[each] == "alive" and each not in here]
        for target in others[: max(0, wanted - len(here))]:
            plan.append((file, source, target))
    return plan
