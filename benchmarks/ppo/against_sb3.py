"""PPO on CartPole against stable-baselines3 at equal settings, in lockstep: steps per second, and returns over seeds.

stable-baselines3 runs under an interpreter of its own (`--peer`), where it is installed. For each seed both libraries
are alive at once and take turns of some updates in random order; the ratio of each round is one sample, of CPU time and
of wall time. With `--learn` all updates are trained, and both are then evaluated by 100 deterministic episodes.
Floor 3x, aim 5x the steps per second, with the same return.

Writes benchmarks/results/<machine>/against_sb3.json with all samples.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

RESULTS = Path(__file__).parents[1] / "results"
WORKER = Path(__file__).with_name("cartpole_worker.py")
UPDATES = 390  # that 100,000 steps of 8 x 32 make


class Library:
    """One of the two, in a process of its own."""

    def __init__(self, name: str, python: str, seed: int) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, str(WORKER), name, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to one command. Raises RuntimeError where the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}; see what it wrote to stderr")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def compare(seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All turns of one seed, and the returns where they are asked for."""
    libraries = [Library("hotloop", sys.executable, seed), Library("sb3", asked.peer, seed)]
    order, samples = random.Random(seed), {library.name: list[dict[str, float]]() for library in libraries}
    try:
        rounds = (UPDATES - 2) // asked.updates if asked.learn else asked.rounds + 1
        for number in range(rounds):
            for library in order.sample(libraries, 2):
                answer = library.ask(f"go {asked.updates}")
                if number > 0:  # the first turn imports, builds and allocates
                    samples[library.name].append(answer)
        found: dict[str, Any] = {"seed": seed, "samples": samples}
        if asked.learn:
            for library in libraries:
                while "finished" not in library.ask("go 1000"):
                    pass
            found["returns"] = {item.name: item.ask("evaluate 100")["episode_return"] for item in libraries}
        return found
    finally:
        for library in libraries:
            library.close()


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the interpreter that has stable-baselines3")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--updates", type=int, default=10, help="of each turn")
    parser.add_argument("--learn", action="store_true", help="train to the end and compare returns")
    parser.add_argument("--dry", action="store_true", help="print, but write no results")
    asked = parser.parse_args()
    found = [compare(seed, asked) for seed in range(asked.seeds)]
    for clock in ("cpu", "wall"):
        ratios = [
            theirs[clock] / mine[clock]
            for one in found
            for mine, theirs in zip(one["samples"]["hotloop"], one["samples"]["sb3"], strict=True)
        ]
        print(f"steps per second, {clock}: {median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")
    for one in found:
        if "returns" in one:
            print(f"seed {one['seed']}: {one['returns']}")
    if not asked.dry:
        machine = record_environment((), Path.cwd())
        folder = RESULTS / machine.cpu.lower().replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "against_sb3.json", json.dumps({"options": vars(asked), "seeds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
