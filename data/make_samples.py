"""The sample files that the two clients back up: python data/make_samples.py [FOLDER] writes them all anew.

Nothing in them depends on the day, the machine or the run: twice the same script, twice the same bytes. (Another
version of matplotlib may draw the two pictures and the PDF a little differently; everything else stays as it is.)
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PACKET_BYTES = 65_536  # the description's packet size: a piece of this size is where a receiver may look for EOF
EOF_FILE_BYTES = 300_000

ABOUT = """\
What a backup cluster is for
============================

A file that lies on one disk is one accident away from being gone. A file that
lies on two disks needs two accidents, and if somebody notices the first one in
time and makes a new copy, the second accident may come and nothing is lost.
That is the whole idea of replication. The rest is bookkeeping, and bookkeeping
between computers is harder than it looks.

In this kit there are three kinds of programs:

  manager   knows which servers there are and what each of them holds; it
            decides where a new file goes, and never touches a file itself
  server    keeps files in its Backups folder, and passes copies on to others
  client    has files that it does not want to lose

A backup goes like this. The client asks the manager for a server. The manager
looks for the one that stores the fewest bytes and answers with its address. The
client sends the file there, in packets of at most 65,536 bytes. That server,
the primary, hands a copy to a second one. Only when both have the file safely on
their disks is it fair to say: backed up.

Questions to keep in mind while you watch it run:

  1. Two clients ask at the same moment. Do they both get the same server, and
     what becomes of the balance then?
  2. The connection breaks just before the answer arrives. Is the file stored?
     What may the client do to find out, and what happens if it sends it again?
  3. The manager is killed. Who still knows where the files are?
  4. A server is killed after it took the file and before it passed it on. How
     many copies are there, and who has noticed?

None of these has an answer in one line. Each can be seen, counted and drawn,
and that is what the notebooks do.
"""

NOTES_1 = """\
notes of client 1

- client 2 has a notes.txt as well, and it says something else
- after a restore, this one must still be mine
"""

NOTES_2 = """\
notes of client 2

- same name, other owner: the server keeps the two in two folders
- a digest tells them apart, and so does the size
- next: stop a server while a file is on its way
"""

OVERVIEW = """\
Übersicht · 日本: a name in two scripts
======================================
This file's name has letters that no ASCII table knows. It has to come back from
the servers as it was: sixteen characters, twenty-one bytes in UTF-8, and the
second number is the one that a limit on the length of names is about.
"""

WEEK_1 = """\
Week 1: one call, there and back
- What does a remote call cost, compared with a local one?
- Where can it get lost: on the way there, at the other end, or on the way back?
- Which of the three can the caller tell apart?
"""

WEEK_2 = """\
Week 2: two copies
- Acknowledge after the first copy, or after the last?
- Draw the moment at which a crash loses the file.
- Then make that crash happen.
"""


def measurements() -> str:
    """A day and a half in a greenhouse, a line a minute: temperature, humidity and light that follow the sun."""
    noise = random.Random(2_026)
    lines = ["minute,temperature_c,humidity_percent,light_lux"]
    drift = 0.0
    for minute in range(36 * 60):
        sun = max(0.0, math.sin(2 * math.pi * (minute / 1440 - 0.25)))
        drift = 0.98 * drift + noise.gauss(0, 0.08)
        temperature = 16.5 + 9.0 * sun + drift
        humidity = min(99.0, max(20.0, 78.0 - 2.4 * (temperature - 16.5) + noise.gauss(0, 0.6)))
        light = max(0.0, 42_000 * sun + noise.gauss(0, 300) * (sun > 0))
        lines.append(f"{minute},{temperature:.2f},{humidity:.1f},{light:.0f}")
    return "\n".join(lines) + "\n"


def eof_at_every_packet() -> bytes:
    """Numbered lines in which each piece of 65,536 bytes ends with EOF, which is how the description ends a file."""
    lines = (
        f"line {number:05d}: a file may hold any bytes, and its own end is not one of them\n" for number in range(5_000)
    )
    content = bytearray("".join(lines).encode("ascii")[:EOF_FILE_BYTES])
    for end in range(PACKET_BYTES, len(content) + 1, PACKET_BYTES):
        content[end - 3 : end] = b"EOF"
    return bytes(content)


def figure(width: float, height: float) -> Figure:
    """An empty page, in inches, that belongs to no window and no notebook."""
    page = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(page)
    return page


def balls_into_bins() -> Figure:
    """How full 60 servers get with 6,000 files: placed at random, and on the emptier one of two."""
    rolls = random.Random(7)
    at_random, best_of_two = [0] * 60, [0] * 60
    for _ in range(6_000):
        at_random[rolls.randrange(60)] += 1
        one, other = rolls.sample(range(60), 2)
        best_of_two[one if best_of_two[one] <= best_of_two[other] else other] += 1

    page = figure(7, 4)
    axes = page.subplots()
    axes.bar(range(60), sorted(at_random), width=0.9, color="#9ec5e8", label="at random")
    axes.plot(range(60), sorted(best_of_two), color="#c0392b", linewidth=2, label="the emptier of two")
    axes.axhline(100, color="#555555", linewidth=1, linestyle=":", label="all equal")
    axes.set(ylim=(0, 155), title="6,000 files on 60 servers", xlabel="servers, the emptiest first", ylabel="files")
    axes.legend(loc="upper left", frameon=False)
    return page


def hills() -> Figure:
    """Ridges in the mist, each nearer one darker: what a photograph is to a backup, and drawn by us."""
    rolls = random.Random(11)
    page = Figure(figsize=(9, 6), facecolor="#f6dcc3")
    FigureCanvasAgg(page)
    axes = page.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(0, 7))
    axes.axis("off")
    axes.imshow(
        [[0.0], [0.5], [1.0]], extent=(0, 10, 0, 7), aspect="auto", cmap="YlOrRd_r", alpha=0.35, interpolation="bicubic"
    )
    axes.scatter([7.2], [5.4], s=2_600, color="#fff4d6")
    xs = [step / 100 for step in range(1_001)]
    for ridge in range(9):
        waves = [
            (rolls.uniform(0.3, 1.0) / n, n * rolls.uniform(0.5, 0.9), rolls.uniform(0, 6.3)) for n in range(1, 14)
        ]
        base = 4.6 - 0.5 * ridge
        ys = [base + 0.55 * sum(a * math.sin(f * x + p) for a, f, p in waves) for x in xs]
        shade = 1 - (ridge + 1) / 10
        axes.fill_between(xs, ys, color=(0.15 + 0.55 * shade, 0.22 + 0.5 * shade, 0.32 + 0.42 * shade))
    return page


def backup_as_a_diagram() -> Figure:
    """One backup, message by message, from the top down."""
    page = Figure(figsize=(8.27, 11.69), facecolor="white")  # A4, upright
    FigureCanvasAgg(page)
    axes = page.add_axes((0.06, 0.06, 0.88, 0.84))
    axes.set(xlim=(-0.4, 3.4), ylim=(10.5, -0.8))
    axes.axis("off")
    page.text(0.5, 0.94, "One backup, message by message", ha="center", fontsize=17)
    for column, name in enumerate(["client", "manager", "server 1", "server 2"]):
        axes.text(column, -0.35, name, ha="center", fontsize=12, weight="bold")
        axes.plot([column, column], [0, 10.2], color="#999999", linewidth=1)
    messages = [
        (0, 1, "where may this file go?"),
        (1, 0, "server 1, then server 2"),
        (0, 2, "here comes the file"),
        (0, 2, "packets of 65,536 bytes"),
        (2, 3, "here comes a copy"),
        (2, 3, "packets of 65,536 bytes"),
        (3, 2, "it is on my disk"),
        (2, 1, "two copies: server 1, server 2"),
        (2, 0, "two copies are safe"),
    ]
    label = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for row, (sender, receiver, text) in enumerate(messages):
        y = 0.9 + row
        axes.annotate("", (receiver, y + 0.25), (sender, y), arrowprops={"arrowstyle": "-|>", "color": "#1f4e79"})
        axes.text((sender + receiver) / 2, y - 0.05, text, ha="center", fontsize=9, bbox=label)
    return page


def write_text(path: Path, text: str) -> None:
    """The text as UTF-8 with LF on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def write_samples(folder: Path) -> None:
    """Write the files of both clients below `folder`; files of those names are replaced, others are left alone."""
    client1, client2 = folder / "client1" / "Files", folder / "client2" / "Files"

    write_text(client1 / "about-backups.txt", ABOUT)
    write_text(client1 / "notes.txt", NOTES_1)
    write_text(client1 / "empty.txt", "")
    write_text(client1 / "Übersicht-日本.txt", OVERVIEW)
    write_text(client1 / "greenhouse.csv", measurements())
    write_text(client1 / "course" / "week-1.txt", WEEK_1)
    write_text(client1 / "course" / "week-2.txt", WEEK_2)
    write_text(client2 / "notes.txt", NOTES_2)
    (client2 / "eof-in-every-packet.txt").write_bytes(eof_at_every_packet())

    # The user's own matplotlib settings and everything that names a day, a program or a version are left out.
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        balls_into_bins().savefig(client1 / "balls-into-bins.png", dpi=150, metadata={"Software": None})
        hills().savefig(client2 / "hills.jpg", dpi=150, pil_kwargs={"quality": 88})
        no_origin = {"Creator": None, "Producer": None, "CreationDate": None}
        backup_as_a_diagram().savefig(client2 / "one-backup.pdf", metadata=no_origin)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "clients")
