"""Time of `hotloop lint` for 10,000 lines: reading with facts, and all rules, over installed sources of other people.

The packages take turns in random order; a sample is one pass over all files of one package, in CPU time of the thread.
TorchFix is left out: it parses every file again with libcst. Writes benchmarks/results/<machine>/bench_lint.json with
all samples, and prints the table.

python benchmarks/lint/bench_lint.py --rounds 7
"""

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import random
import re
import sys
import time
from pathlib import Path
from statistics import median

from hotloop.lint.catalogue import rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.run import python_files
from hotloop.lint.source_model.source_file import read_source
from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

PACKAGES = ("torch_geometric", "lightning", "accelerate", "skorch", "torchmetrics")
RESULTS = Path(__file__).parents[1] / "results"


def sources(package: str) -> list[Path]:
    """All Python files of an installed package."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed; pip install 'hotloop[libraries]'")
    return list(python_files(Path(found.origin).parent))


def one_pass(paths: list[Path], dispatch: Dispatch) -> dict[str, float | int]:
    """Seconds to read and to run all rules, with the numbers of lines, files and findings."""
    read = ran = 0.0
    num_lines = num_findings = 0
    for path in paths:
        start = time.thread_time()
        file = read_source(path)
        middle = time.thread_time()
        num_findings += len(dispatch.findings(file))
        ran += time.thread_time() - middle
        read += middle - start
        num_lines += file.text.count("\n") + 1
    return {"read": read, "rules": ran, "lines": num_lines, "files": len(paths), "findings": num_findings}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chosen = rules()
    dispatch, order = Dispatch(chosen), random.Random(0)
    paths = {package: sources(package) for package in PACKAGES}
    samples = [
        {"package": package, "round": number, **one_pass(paths[package], dispatch)}
        for number in range(options.rounds)
        for package in order.sample(PACKAGES, len(PACKAGES))
    ]
    environment = record_environment(sys.argv, Path.cwd())
    slug = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    out = options.out or RESULTS / slug / "bench_lint.json"
    document = {
        "command": ["python", *sys.argv],
        "environment": dataclasses.asdict(environment),
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "num_rules": len(chosen),
        "samples": samples,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, json.dumps(document, indent=1, default=str) + "\n")
    print(f"{len(chosen)} rules\n")
    print("| package | lines | read, s per 10,000 | rules, s per 10,000 | findings |")
    print("|---|---|---|---|---|")
    for package in PACKAGES:
        own = [sample for sample in samples if sample["package"] == package]
        scale = 10_000 / own[0]["lines"]
        read, ran = (median(sample[part] for sample in own) * scale for part in ("read", "rules"))
        print(f"| {package} | {own[0]['lines']} | {read:.3f} | {ran:.3f} | {own[0]['findings']} |")


if __name__ == "__main__":
    main()
