"""Records blocks of three identical workers in turns on one core: the noise that simulate.py is fitted to.

python benchmarks/compare/record.py examples/tabular_mlp.py --pairs 12 --out benchmarks/results/<machine>/NAME.json
"""

import argparse
import contextlib
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from hotloop.transform import Plan
from hotloop.whole_file import write_whole
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload, parse_workload

ARMS = ("baseline", "again", "candidate")
WARMUP, ROUNDS, STEPS = 10, 12, 5


def record_pair(workload: Workload, settings: Settings, pair: int, order: random.Random) -> list[dict[str, Any]]:
    """All blocks of one group of fresh processes, in the order in which they were taken."""
    blocks: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        workers = {arm: stack.enter_context(Worker(workload, Plan(), settings)) for arm in ARMS}
        for worker in workers.values():
            worker.wait_at_barrier()
            worker.turn(WARMUP)
        for number in range(ROUNDS):
            for arm in order.sample(ARMS, len(ARMS)):
                turn = workers[arm].turn(STEPS)
                times = {clock: [round(step, 7) for step in turn[clock]] for clock in ("wall", "cpu")}
                blocks.append({"pair": pair, "round": number, "arm": arm, **times})
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    workload, order = parse_workload(options.script), random.Random(0)
    blocks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder), cores=(options.core,), variables={"OMP_NUM_THREADS": "1"})
        for pair in range(options.pairs):
            blocks += record_pair(workload, settings, pair, order)
            write_whole(options.out, json.dumps(blocks) + "\n")
            print(f"pair {pair + 1} of {options.pairs}", file=sys.stderr)


if __name__ == "__main__":
    main()
