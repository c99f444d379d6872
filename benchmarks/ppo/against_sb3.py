"""PPO on CartPole against stable-baselines3 at equal settings, in lockstep: steps per second, and returns over seeds.

stable-baselines3 runs under an interpreter of its own (`--peer`), where it is installed. For each seed both libraries
are alive at once and take turns of some updates in random order; the ratio of each round is one sample, of CPU time and
of wall time. With `--learn` all updates are trained, and both are then evaluated by 100 deterministic episodes.
Floor 3x, aim 5x the steps per second, with the same return. `--compile` adds a third library: hotloop with
compile="step"; what compiling takes (a minute or more) is in its first turn, which is not counted, and is printed.

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


def mine(asked: argparse.Namespace) -> list[str]:
    """Our entries."""
    return ["hotloop", "hotloop-step"] if asked.compile else ["hotloop"]


def compare(seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All turns of one seed, and the returns where they are asked for."""
    libraries = [Library(name, sys.executable, seed) for name in mine(asked)] + [Library("sb3", asked.peer, seed)]
    order, samples = random.Random(seed), {library.name: list[dict[str, float]]() for library in libraries}
    first: dict[str, Any] = {}
    try:
        rounds = (UPDATES - 2) // asked.updates if asked.learn else asked.rounds + 1
        for number in range(rounds):
            for library in order.sample(libraries, len(libraries)):
                answer = library.ask(f"go {asked.updates}")
                if number > 0:  # the first turn imports, builds, compiles and allocates
                    samples[library.name].append(answer)
                else:
                    first[library.name] = answer
        found: dict[str, Any] = {"seed": seed, "first_turns": first, "samples": samples}
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
    parser.add_argument("--compile", action="store_true", help="a third one: hotloop with its step compiled")
    parser.add_argument("--dry", action="store_true", help="print, but write no results")
    asked = parser.parse_args()
    found = [compare(seed, asked) for seed in range(asked.seeds)]
    for name in mine(asked):
        for clock in ("cpu", "wall"):
            ratios = [
                theirs[clock] / ours[clock]
                for one in found
                for ours, theirs in zip(one["samples"][name], one["samples"]["sb3"], strict=True)
            ]
            shown = f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{name} against sb3, steps per second, {clock}: {shown}")
        print(f"{name}, first turn: {found[0]['first_turns'][name]['wall']:.1f} s")
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
