"""Pull requests with known slow-downs, and unchanged ones, under background load: what does `hotloop guard` say?

    python benchmarks/guard/pull_requests.py                      # 20 each of 5, 10 and 20 %, and 60 unchanged
    python benchmarks/guard/pull_requests.py --resume             # goes on after those that are stored
    python benchmarks/guard/pull_requests.py --times 1 --unchanged 1 --out /tmp/short

Each is a commit in a copy of an example: extra matrix products after every step, or another comment. How many products
are so many percent is measured beforehand, in turns with plain steps. Beside the verdict stand, on the samples of the
same session, pytest-benchmark's `--benchmark-compare-fail=median:5%` and Welch's t test of base first, head after it.

Writes benchmarks/results/<machine>/guard/: pull_requests.json, and samples/*.json.gz with every block of every session.
"""

import argparse
import gzip
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import torch
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from background_load import background_load
from simulate import machine

from hotloop.guard.compare_revisions import compare_revisions
from hotloop.guard.limits import GuardSettings
from hotloop.guard.request import Request
from hotloop.machine.environment import foreign_cores, record_environment
from hotloop.measurement import Clock
from hotloop.proof.session import Options
from hotloop.records.documents import to_data
from hotloop.records.evidence import load_evidence
from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
EXAMPLE, STEP, BATCH = "tabular_mlp.py", "            optimizer.step()\n", 64
PERCENTS = (5.0, 10.0, 20.0)
ALPHA = 0.05


def products_for(percent: float, *, turns: int = 60, steps: int = 20) -> tuple[int, dict]:
    """How many products of two 48 x 48 matrices take `percent` of a step of the example, by CPU time in turns."""
    torch.set_num_threads(1)
    sys.path.insert(0, str(ROOT / "examples"))
    import tabular_mlp

    features, labels = tabular_mlp.table()
    model = tabular_mlp.mlp(features.shape[1], 256, 3, num_classes=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    matrix = torch.zeros(48, 48)
    seconds = {"step": [], "product": []}
    for _ in range(turns):
        began = time.process_time()
        for _ in range(steps):
            rows = torch.randperm(len(labels))[:BATCH]
            loss = torch.nn.functional.cross_entropy(model(features[rows]), labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        half = time.process_time()
        for _ in range(20 * steps):
            matrix @ matrix  # the work is the point
        seconds["step"].append((half - began) / steps)
        seconds["product"].append((time.process_time() - half) / (20 * steps))
    step, product = (statistics.median(found) for found in seconds.values())
    number = max(1, round(percent / 100 * step / product))
    return number, {"step": step, "product": product, "products": number, "percent": 100 * number * product / step}


def repository(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROOT / "examples" / EXAMPLE, folder / EXAMPLE)
    git(folder, "init", "--quiet")
    commit(folder, "The example")
    return folder


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", message)


def propose(folder: Path, products: int, number: int) -> None:
    """The change of one pull request, in the working tree; `products` is 0 for one that changes nothing."""
    text = (ROOT / "examples" / EXAMPLE).read_text(encoding="utf-8")
    assert text.count(STEP) == 1
    if products:
        work = f"            for _ in range({products}):\n                work @ work\n"
        text = text.replace(STEP, STEP + work).replace(
            "    for epoch in", "    work = torch.zeros(48, 48)\n    for epoch in"
        )
    (folder / EXAMPLE).write_text(f"{text}# pull request {number}\n", encoding="utf-8")


def judge(folder: Path, budget: float) -> tuple[dict, dict]:
    """What guard says of the working tree, and all blocks of its session by comparison."""
    busy = foreign_cores()
    with tempfile.TemporaryDirectory() as out:
        options = Options(budget=budget, out=Path(out), history=f"sqlite:///{out}/history.db")
        request = Request(target=EXAMPLE, folder=folder, base="HEAD", settings=GuardSettings())
        report = compare_revisions(request, options=options)
        recorded = load_evidence(Path(out) / "evidence")
    clock = recorded.result.clock
    blocks = {title: [to_data(block) for block in found] for title, found in recorded.blocks.items()}
    row = {
        "verdict": report.verdict.value,
        "metrics": [metric.to_data() for metric in report.metrics],
        "clock": clock.value,
        "seconds": report.seconds,
        "foreign_cores": busy,
        "others": others_say(recorded.blocks.get("guard, uninterrupted", ()), clock),
        "notes": list(report.notes),
    }
    return row, blocks


def others_say(blocks, clock: Clock) -> dict:
    """What two usual rules say of the first uninterrupted stretch of base and of head; wall time is what they read.

    `same_clock` is what they would say of the clock that guard read.
    """
    first = {block.arm: block for block in blocks if block.replicate == 0}
    if not first.keys() >= {"baseline", "plan"}:
        return {}
    said = {}
    for name, read in (("wall", Clock.WALL), ("same_clock", clock)):
        base, head = (first[arm].samples(read) for arm in ("baseline", "plan"))
        ratio = statistics.median(head) / statistics.median(base)
        p = float(stats.ttest_ind(head, base, equal_var=False, alternative="greater").pvalue)
        said[name] = {
            "median_ratio": ratio,
            "median_5_percent_fails": ratio > 1.05,
            "t_test_p": p if math.isfinite(p) else None,
            "t_test_fails": p < ALPHA,
        }
    return said


def table(rows: list[dict]) -> list[str]:
    lines = ["kind        guard FAIL/PASS/INCONCLUSIVE    median:5% fails    t test fails"]
    for kind in sorted({row["kind"] for row in rows}):
        found = [row for row in rows if row["kind"] == kind]
        verdicts = Counter(row["verdict"] for row in found)
        told = "/".join(str(verdicts[name]) for name in ("FAIL", "PASS", "INCONCLUSIVE"))
        walls = [row["others"]["wall"] for row in found if row["others"]]
        medians = sum(wall["median_5_percent_fails"] for wall in walls)
        tests = sum(wall["t_test_fails"] for wall in walls)
        lines.append(
            f"{kind:10}  {told:>12} of {len(found):2}  {medians:20} of {len(walls):2}  {tests:12} of {len(walls):2}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--unchanged", type=int, default=60)
    parser.add_argument("--budget", type=float, default=150.0)
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    out = given.out or ROOT / "benchmarks" / "results" / machine() / "guard"
    (out / "samples").mkdir(parents=True, exist_ok=True)
    path = out / "pull_requests.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if given.resume and path.exists() else {}
    rows, work = stored.get("rows", []), stored.get("work") or {}
    for percent in PERCENTS:
        if f"{percent:g} %" not in work:
            work[f"{percent:g} %"] = products_for(percent)[1]
    wanted = [*[kind for kind in work for _ in range(given.times)], *["unchanged"] * given.unchanged]
    random.Random(0).shuffle(wanted)
    environment = to_data(record_environment(tuple(sys.argv), ROOT))
    with tempfile.TemporaryDirectory() as folder, background_load(is_on=not given.no_load):
        home = repository(Path(folder) / "example")
        for number, kind in enumerate(wanted[len(rows) :], start=len(rows)):
            propose(home, work[kind]["products"] if kind in work else 0, number)
            row, blocks = judge(home, given.budget)
            rows.append({"number": number, "kind": kind, "loaded": not given.no_load, **row})
            with gzip.open(out / "samples" / f"{number:03d}.json.gz", "wt", encoding="utf-8") as file:
                json.dump(blocks, file)
            document = {"date": datetime.now(UTC).isoformat(), "work": work, "budget": given.budget, "rows": rows}
            write_whole(path, json.dumps({**document, "environment": environment}, indent=1, allow_nan=False) + "\n")
            worse = [metric["name"] for metric in row["metrics"] if metric["verdict"] == "FAIL"]
            print(f"{number:3d} {kind:10} {row['verdict']:12} {', '.join(worse)} {row['seconds']:.0f} s", flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
