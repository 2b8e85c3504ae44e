"""Attack the ledger: damage it, start a second daemon over it, and have four trax-ctl change it at once."""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from attacks import Findings, Size
from attacks.ledger_commands import change_at_once, change_while_absent, change_while_it_restarts, second_daemons
from attacks.ledger_damage import Moment, both_lost, every_byte, moments, one_damaged


def attack(size: Size, work: Path) -> Findings:
    """Damage the ledger of real runs, then command a real daemon, a daemon that restarts and one that is not there."""
    taken = moments(work / "run", work / "moments", clips=size.pick(5, 3, 2), kills=size.pick(5, 2, 0), seed=size.seed)
    cuts, flips, violations = every_byte(taken[-1], work / "bytes", step=size.pick(1, 7, 60), seed=size.seed)
    trials = _trials(taken, size)
    for number, (moment, kind) in enumerate(trials):
        violations += one_damaged(moment, kind, work / "trial", seed=size.seed + number, ask_doctor=number == 0)
        shutil.rmtree(work / "trial")
    violations += both_lost(taken[-1], work / "both")
    exits = second_daemons(work / "second", size.pick(20, 6, 2))
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        at_once = change_at_once(work / "commands", size.pick(1000, 200, 40), size.seed, pool)
        absent = change_while_absent(work / "absent", size.pick(200, 40, 20), size.seed, pool)
        restarted = change_while_it_restarts(work / "restarts", size.pick(600, 80, 20), size.seed, pool)
    return Findings(
        tried=(
            f"The newest snapshot of a real run was cut at {cuts} and flipped at {flips} of its bytes. Roots as they were when the daemon "
            f"was killed got a damaged newest or older snapshot or seen.log, {len(trials)} times, and once two damaged snapshots, and the "
            f"real daemon went on from there. {len(exits.seconds)} second daemons were started. Four processes gave {at_once.given} "
            f"commands to a daemon, {absent.given} while there was none and {restarted.given} while it was stopped, killed and started "
            "again; the effect of each was looked up afterwards."
        ),
        violations=(*violations, *exits.violations, *at_once.violations, *absent.violations, *restarted.violations),
        figures=(
            f"A second daemon exits after {statistics.median(exits.seconds):.2f} s (median; at most {max(exits.seconds):.2f} s).",
            f"{restarted.refused} of {restarted.given} commands met no daemon that could take them, and said so.",
        ),
    )


def _trials(taken: list[Moment], size: Size) -> list[tuple[Moment, str]]:
    kinds = ("cut newest", "flip newest", "empty newest", "cut older", "flip seen")
    if size.is_test:
        return [(taken[-1], "flip newest")]
    if size.quick:
        return [(moment, kind) for moment in taken for kind in kinds[:1]] + [(taken[-1], kind) for kind in kinds[1:]]
    return [(moment, kind) for moment in taken for kind in kinds]
