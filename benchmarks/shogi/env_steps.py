"""Steps of the shogi environment a second on one core, in random play, with masks and planes.

Arms: the environment with 16, 64 and 256 games and both encodings, and the engine's boards alone (a random legal move,
no planes, no masks, no repetition), which says what the rest costs. All arms take turns in random order within one
process on one core with one thread; several fresh processes do so, one after another, and figures are medians over
processes of each process's median turn. Both clocks are kept: CPU time of the process and wall time. Games go on from
turn to turn, so that positions of all stages of a game are met. Choosing a random legal action is part of the step.

Floor 10,000 and aim 20,000 steps a second, of the environment with 64 games and the flat encoding. Exit code 1 below
the floor. Run it on an idle machine. Writes benchmarks/results/<machine>/shogi/env_steps.json with all samples.

python benchmarks/shogi/env_steps.py [--processes 8] [--rounds 10] [--steps 6400] [--out FILE]
"""

import argparse
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from rsshogi.core import Board

from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole
from hotloop.workloads.shogi import VectorShogi

FLOOR, AIM = 10_000, 20_000  # issue 15, must show 4
JUDGED = "flat, 64 games"
RESULTS = Path(__file__).parents[1] / "results"
WARMUP_PLIES = 80  # a turn then meets games of all lengths
Arm = Callable[[int], None]


def environment_arm(num_games: int, actions: str) -> Arm:
    """Plays that many steps of single games in the environment."""
    env = VectorShogi(num_games, seed=0, actions=actions)

    def run(steps: int) -> None:
        for _ in range(steps // num_games):
            env.step(env.random_actions())

    run(WARMUP_PLIES * num_games)
    return run


def boards_arm(num_games: int) -> Arm:
    """Plays that many moves on boards of the engine."""
    boards, generator = [Board() for _ in range(num_games)], random.Random(0)

    def run(steps: int) -> None:
        for _ in range(steps // num_games):
            for board in boards:
                moves = board.legal_moves()
                if not moves or board.game_ply > 512:
                    board.reset()
                    moves = board.legal_moves()
                board.apply_move(moves[generator.randrange(len(moves))])

    run(WARMUP_PLIES * num_games)
    return run


def measure(*, rounds: int, steps: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """Microseconds a step of each turn of this process, by arm and clock."""
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    arms = {
        f"{name}, {games} games": environment_arm(games, name)
        for games in (16, 64, 256)
        for name in ("flat", "spatial")
    }
    arms["boards alone, 64 games"] = boards_arm(64)
    samples = {name: list[dict[str, float]]() for name in arms}
    order = random.Random(seed)
    for _ in range(rounds):
        for name in order.sample(list(arms), len(arms)):
            cpu, wall = time.process_time(), time.perf_counter()
            arms[name](steps)
            turn = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
            samples[name].append({clock: seconds / steps * 1e6 for clock, seconds in turn.items()})
    return samples


def steps_per_second(processes: list[dict[str, list[dict[str, float]]]], name: str, clock: str) -> list[float]:
    """One figure a process: that of its median turn."""
    return [1e6 / median(turn[clock] for turn in samples[name]) for samples in processes]


def table(processes: list[dict[str, list[dict[str, float]]]]) -> str:
    """Markdown: steps a second, median and range over processes, by both clocks."""
    lines = ["| arm | steps/s, wall | range | steps/s, CPU time | range |", "|---|---|---|---|---|"]
    for name in processes[0]:
        cells = [name]
        for clock in ("wall", "cpu"):
            figures = steps_per_second(processes, name, clock)
            cells += [f"{median(figures):,.0f}", f"{min(figures):,.0f} to {max(figures):,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10, help="turns of each arm in each process")
    parser.add_argument("--steps", type=int, default=6400, help="steps of a turn, a multiple of 256")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps < 256 or options.steps % 256:
        parser.error(f"got --steps {options.steps}; give a multiple of 256, so that every arm plays as many")
    if options.one is not None:
        samples = measure(rounds=options.rounds, steps=options.steps, seed=options.seed)
        options.one.write_text(json.dumps(samples), encoding="utf-8")
        return 0
    environment = record_environment(sys.argv, Path.cwd())
    slug = re.sub(r"[^a-z0-9]+", "-", f"{environment.cpu} {len(environment.cores)} cores".lower()).strip("-")
    out = options.out or RESULTS / slug / "shogi" / "env_steps.json"
    processes = []
    with TemporaryDirectory() as folder:
        for number in range(options.processes):
            one = Path(folder) / f"{number}.json"
            call = [sys.executable, __file__, "--one", str(one), "--rounds", str(options.rounds)]
            subprocess.run([*call, "--steps", str(options.steps), "--seed", str(options.seed + number)], check=True)
            processes.append(json.loads(one.read_text(encoding="utf-8")))
            print(f"process {number + 1} of {options.processes}", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    loads = {"load_average_at_end": os.getloadavg(), "cores": os.cpu_count()}
    document = {"schema": 1, "environment": dataclasses.asdict(environment), **loads, "us": processes}
    write_whole(out, json.dumps(document, indent=1) + "\n")
    print(table(processes))
    found = median(steps_per_second(processes, JUDGED, "wall"))
    held = {name: "held" if found >= least else "NOT held" for name, least in (("floor", FLOOR), ("aim", AIM))}
    print(f"\n{JUDGED}: {found:,.0f} steps/s of wall time; floor {FLOOR:,} {held['floor']}, aim {AIM:,} {held['aim']}")
    print(f"load average {loads['load_average_at_end'][0]:.1f} on {loads['cores']} cores")
    return 0 if found >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
