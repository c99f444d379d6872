"""hotloop against installed versions of psann, at equal work: same data, schedule, seed, draws and initial weights.

    python benchmarks/hisso/side_by_side.py --peer 0.12.4=/path/to/python --peer 2.0.1=/path/to/other/python

Every package runs in a process of its own, under its own Python. All live at the same time, have one thread, are
pinned to the same core, and take turns in random order; a turn is one whole fit, while the others wait for their pipe.
Each group of processes lives for a few rounds and is then replaced, for where a process landed in memory decides more
than any round (docs/measurements.md); intervals are over groups. Within a group, the first fits of every case are the
warm-up: they are kept as "cold" and left out. Ratios are peer time over hotloop time, above 1 where hotloop is faster.

A second hotloop process rides along in each group: what two equal arms differ by stands under "aa".

Rewards must agree: the largest relative difference of any epoch is reported beside each ratio. Writes all samples.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cases import MODES, VARIANTS, make_case, make_data, schedules
from hotloop.compare.inference import combine, replicate_estimate
from hotloop.machine.environment import record_environment
from hotloop.measurement import Interval
from hotloop.whole_file import write_whole

OURS, AGAIN = "hotloop", "hotloop again"
TIMES = {"fit": "wall_s", "fit_cpu": "cpu_s", "loop": "loop_s"}
RESULTS = Path(__file__).parents[1] / "results" / "amd-epyc-2-cores" / "hisso"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One turn: which group, round, arm and case, and what it took. Round 0 is the cold one."""

    group: int
    round: int
    arm: str
    case: str
    wall_s: float
    cpu_s: float
    loop_s: float
    rewards: list[float] = field(default_factory=list[float])


class Worker:
    """A package in a process of its own."""

    def __init__(self, package: str, python: str, core: int) -> None:
        call = [python, str(Path(__file__).with_name("turn_worker.py")), package, str(core)]
        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            call, env={**os.environ, **one}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self._answer()

    def fit(self, case: Path) -> dict[str, Any]:
        """What one fit of the case took."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"case": str(case)}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """End the process by closing its pipe."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        status = self._process.wait(timeout=60)
        self._process.stdout.close()
        if status != 0:
            raise SystemExit(f"a worker ended with status {status}")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self._process.wait()}; its message is above")
        return json.loads(line)


def main() -> None:
    """Take the samples, print the tables, write the document."""
    options = _options()
    peers = dict(given.split("=", 1) for given in options.peer)
    with TemporaryDirectory() as folder:
        cases = _cases(options, Path(folder))
        samples, about = _earlier(options.append_to)
        first = 1 + max((sample.group for sample in samples), default=-1)
        for group in range(first, first + options.groups):
            taken, about = _group(group, cases, peers, options)
            samples += taken
            sys.stderr.write(f"group {group}: {len(taken)} fits\n")
    document = _document(options, samples, about, list(peers))
    sys.stdout.write(table(document) + "\n")
    path = options.append_to or options.output
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(document, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer", action="append", required=True, metavar="NAME=PYTHON", help="may be given twice")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--reward", default="energy", choices=("energy", "return"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--groups", type=int, default=5, help="groups of fresh processes")
    parser.add_argument("--rounds", type=int, default=6, help="timed rounds in each group")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "side_by_side.json")
    parser.add_argument("--append-to", type=Path, help="add groups to this document")
    return parser.parse_args()


def _cases(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    modes = schedules()
    return {
        f"{variant} {mode}": make_case(
            make_data("portfolio", variant, seed=options.seed),
            variant,
            modes[mode],
            epochs=options.epochs,
            window=options.window,
            seed=options.seed,
            penalty=0.02,
            reward=options.reward,
            device="cpu",
        ).save(folder)
        for variant in options.variants.split(",")
        for mode in options.modes.split(",")
    }


def _group(
    group: int, cases: dict[str, Path], peers: dict[str, str], options: argparse.Namespace
) -> tuple[list[Sample], dict[str, Any]]:
    workers = {name: Worker("hotloop", sys.executable, options.core) for name in (OURS, AGAIN)}
    workers |= {name: Worker("psann", python, options.core) for name, python in peers.items()}
    rng, samples = random.Random(group), list[Sample]()
    for number in range(options.rounds + 1):
        for case, path in cases.items():
            for arm in rng.sample(sorted(workers), len(workers)):
                taken = workers[arm].fit(path)
                taken = {key: taken[key] for key in ("wall_s", "cpu_s", "loop_s", "rewards")}
                samples.append(Sample(group=group, round=number, arm=arm, case=case, **taken))
    about = {name: worker.about for name, worker in workers.items()}
    for worker in workers.values():
        worker.stop()
    return samples, about


def _earlier(path: Path | None) -> tuple[list[Sample], dict[str, Any]]:
    if path is None or not path.is_file():
        return [], {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return [Sample(**sample) for sample in document["samples"]], document["workers"]


def _document(
    options: argparse.Namespace, samples: list[Sample], about: dict[str, Any], peers: list[str]
) -> dict[str, Any]:
    return {
        "environment": asdict(record_environment(_without_paths(sys.argv), Path.cwd())),
        "options": {key: value for key, value in vars(options).items() if isinstance(value, str | int)},
        "workers": about,
        "comparisons": [c for peer in peers for c in compare(samples, peer)],
        "aa": [c for c in compare(samples, AGAIN) if c["ours"] == c["theirs"]],
        "samples": [asdict(sample) for sample in samples],
    }


def _without_paths(argv: list[str]) -> list[str]:
    """The call, with the peers' Pythons named and not placed: where they lie concerns nobody else."""
    return [f"{part.partition('=')[0]}=python" if "=" in part and part.endswith("python") else part for part in argv]


def compare(samples: list[Sample], peer: str) -> list[dict[str, Any]]:
    """One comparison a case: ratios with intervals over groups, cold ratios, and how far rewards are apart.

    The last ones compare our compat schedule with the peer's fast one, which makes an eighth of the updates.
    """
    cases = list(dict.fromkeys(sample.case for sample in samples))
    pairs = [(case, case) for case in cases]
    pairs += [(case, case.replace("compat", "fast")) for case in cases if "compat" in case]
    return [_comparison(samples, peer, ours, theirs) for ours, theirs in pairs if theirs in cases]


def _comparison(samples: list[Sample], peer: str, ours: str, theirs: str) -> dict[str, Any]:
    mine = [sample for sample in samples if (sample.arm, sample.case) == (OURS, ours)]
    others = [sample for sample in samples if (sample.arm, sample.case) == (peer, theirs)]
    intervals = {name: _ratio(mine, others, key) for name, key in TIMES.items()}
    cold = [
        statistics.median(getattr(s, key) for s in others if s.round == 0)
        / statistics.median(getattr(s, key) for s in mine if s.round == 0)
        for key in TIMES.values()
    ]
    return {
        "peer": peer,
        "ours": ours,
        "theirs": theirs,
        "ratios": {name: {"median": i.ratio, "low": i.low, "high": i.high} for name, i in intervals.items()},
        # Which case is the first of a process is the same for all packages, so only equal cases compare cold.
        "cold_ratios": dict(zip(TIMES, cold, strict=True)) if ours == theirs else None,
        "median_ms": {
            arm: {
                name: 1e3 * statistics.median(getattr(s, key) for s in group if s.round) for name, key in TIMES.items()
            }
            for arm, group in ((OURS, mine), (peer, others))
        },
        "largest_reward_difference": _difference(mine, others) if ours == theirs else None,
        "rewards": {OURS: mine[-1].rewards, peer: others[-1].rewards},
        "groups": len({sample.group for sample in mine}),
    }


def _ratio(mine: list[Sample], others: list[Sample], key: str) -> Interval:
    """The peer's time over ours: one effect a group, the interval over groups."""
    groups = sorted({sample.group for sample in mine})

    def rounds(samples: list[Sample], group: int) -> list[list[float]]:
        return [[getattr(s, key)] for s in samples if s.group == group and s.round > 0]

    return combine([replicate_estimate(rounds(others, group), rounds(mine, group)) for group in groups])


def _difference(mine: list[Sample], others: list[Sample]) -> float:
    """The largest relative difference of any epoch's reward; infinite where one is not a number."""
    pairs = [
        (a, b) for one, other in zip(mine, others, strict=True) for a, b in zip(one.rewards, other.rewards, strict=True)
    ]
    differences = [abs(a - b) / abs(b) if b else math.inf for a, b in pairs]
    return max((d if math.isfinite(d) else math.inf for d in differences), default=math.inf)


def table(document: dict[str, Any]) -> str:
    """The comparisons as a Markdown table."""
    lines = [
        "| ours | against | loop | whole fit | first fit of the case | rewards differ by |",
        "|---|---|---|---|---|---|",
    ]
    for entry in [*document["comparisons"], *document["aa"]]:
        difference = entry["largest_reward_difference"]
        lines.append(
            f"| {entry['ours']} | {_peer(entry)} | {_times(entry['ratios']['loop'])} | "
            f"{_times(entry['ratios']['fit'])} | {_cold(entry['cold_ratios'])} | "
            f"{'other work' if difference is None else f'{difference:.1e}'} |"
        )
    return "\n".join(lines)


def _cold(ratios: dict[str, float] | None) -> str:
    return "-" if ratios is None else f"{ratios['fit']:.1f}x"


def _peer(entry: dict[str, Any]) -> str:
    return AGAIN if entry["peer"] == AGAIN else f"psann {entry['peer']} {entry['theirs']}"


def _times(interval: dict[str, float]) -> str:
    return f"{interval['median']:.2f}x [{interval['low']:.2f}, {interval['high']:.2f}]"


if __name__ == "__main__":
    main()
