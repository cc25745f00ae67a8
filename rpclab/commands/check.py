"""`rpclab check`: what the judge says of a run, by its event logs and the servers' folders."""

from __future__ import annotations

import pathlib

import click

from ..cluster.record import run_folder
from ..study.check import Judgement, Verdict, check_run
from .output import Exit, Output, json_option
from .reach import Reach, cluster_options

__all__ = ["check"]

_STATUS = {Verdict.VALID: Exit.ALL_HELD, Verdict.INVALID: Exit.FAILED, Verdict.UNKNOWN: Exit.UNKNOWN}


@click.command()
@click.argument("run", required=False, metavar="[RUN | LAB FILE]")
@click.argument("file", required=False, metavar="")
@click.option("--servers", metavar="DIR", help="the folder with the servers' folders [where they were in the run]")
@click.option("--only", metavar="CHECK", help="of a lab: just this check")
@click.option("--seed", type=int, help="of a lab: the seed of its trials [one for everybody]")
@click.option("--hint", type=click.IntRange(1, 3), default=1, help="of a lab: how much is told, 1 to 3 [1]")
@click.option("--to", metavar="FILE.svg", help="of a lab: save the picture of the run that failed")
@cluster_options
@json_option
def check(
    out: Output,
    reach: Reach,
    run: str | None,
    file: str | None,
    servers: str | None,
    only: str | None,
    seed: int | None,
    hint: int,
    to: str | None,
) -> int:
    """Judge a run: did every promise of the system hold? Or check a lab.

    RUN is a cluster's run folder or any folder with event logs; without it, the run of the cluster named by --data and --name is
    judged, best after it has ended. Exit status: 0 valid, 1 invalid, 5 unknown (the logs or disks do not tell).

    `rpclab check lab2 mine.py` runs the checks of a lab on your module or notebook: 0 all passed, 1 one failed, 5 one is unknown.
    """
    if file is not None:
        from .check_lab import check_lab  # here: the labs bring the clusters with them

        return check_lab(out, str(run), file, only=only, seed=seed, hint=hint, secret=None, to=to)
    folder = pathlib.Path(run) if run is not None else run_folder(reach.data, reach.name)
    report = check_run(folder, servers)
    status = _STATUS[report.verdict]
    out.document(status, verdict=report.verdict.value, invariants=[_told(judgement) for judgement in report])
    out.line(str(report))
    return status


def _told(judgement: Judgement) -> dict[str, object]:
    return {
        "name": judgement.name,
        "verdict": judgement.verdict.value,
        "sentence": judgement.sentence,
        "findings": [
            {
                "verdict": finding.verdict.value,
                "sentence": finding.sentence,
                "node": finding.node,
                "file": finding.file,
                "events": [{"node": each.node, "number": each.number, "kind": each.kind} for each in finding.events],
            }
            for finding in judgement.findings
        ],
    }
