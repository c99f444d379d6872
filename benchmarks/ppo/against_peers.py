"""PPO on CartPole against stable-baselines3 and sbx at equal settings, in lockstep: steps per second, and returns.

    python -m venv sb3 && sb3/bin/pip install torch==2.13.0 stable-baselines3
    python -m venv sbx && sbx/bin/pip install torch==2.13.0 sbx-rl
    python benchmarks/ppo/against_peers.py --peer sb3=sb3/bin/python --peer sbx=sbx/bin/python --compile

Each peer runs under an interpreter of its own, where it is installed. For each seed all libraries are alive at once and
take turns of some updates in random order; the ratio of each round is one sample, of CPU time and of wall time. With
`--learn` all updates are trained, and all are then evaluated by 100 deterministic episodes. Against stable-baselines3
the floor is 3x, the aim 5x the steps per second with the same return; against sbx, which compiles by XLA, the aim is to
be level. `--compile` adds hotloop with compile="step"; what compiling takes is in its first turn, which is not counted,
and is printed.

Writes benchmarks/results/<machine>/ppo_peers.json with all samples.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from hotloop.whole_file import write_whole

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

RESULTS = Path(__file__).parents[1] / "results"
WORKER = Path(__file__).with_name("cartpole_worker.py")
UPDATES = 390  # that 100,000 steps of 8 x 32 make


class Library:
    """One of those that are compared, in a process of its own."""

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


def peer(text: str) -> tuple[str, str]:
    """Its name and its interpreter. Raises ArgumentTypeError for other text."""
    name, equals, python = text.partition("=")
    if not equals or name not in ("sb3", "sbx"):
        raise argparse.ArgumentTypeError(f"got {text!r}; give sb3=PYTHON or sbx=PYTHON")
    return name, python


def mine(asked: argparse.Namespace) -> list[str]:
    """Our entries."""
    return ["hotloop", "hotloop-step"] if asked.compile else ["hotloop"]


def compare(seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All turns of one seed, and the returns where they are asked for."""
    libraries = [Library(name, sys.executable, seed) for name in mine(asked)] + [
        Library(name, python, seed) for name, python in asked.peer
    ]
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
    parser.add_argument("--peer", required=True, action="append", type=peer, help="sb3=PYTHON or sbx=PYTHON")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--updates", type=int, default=10, help="of each turn")
    parser.add_argument("--learn", action="store_true", help="train to the end and compare returns")
    parser.add_argument("--compile", action="store_true", help="a third one: hotloop with its step compiled")
    parser.add_argument("--dry", action="store_true", help="print, but write no results")
    asked = parser.parse_args()
    found = [compare(seed, asked) for seed in range(asked.seeds)]
    for name in mine(asked):
        for other, _ in asked.peer:
            for clock in ("cpu", "wall"):
                ratios = [
                    theirs[clock] / ours[clock]
                    for one in found
                    for ours, theirs in zip(one["samples"][name], one["samples"][other], strict=True)
                ]
                shown = f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
                print(f"{name} against {other}, steps per second, {clock}: {shown}")
        print(f"{name}, first turn: {found[0]['first_turns'][name]['wall']:.1f} s")
    for one in found:
        if "returns" in one:
            print(f"seed {one['seed']}: {one['returns']}")
    if not asked.dry:
        folder = RESULTS / machine()
        folder.mkdir(parents=True, exist_ok=True)
        options = {**vars(asked), "peer": [name for name, _ in asked.peer]}
        write_whole(folder / "ppo_peers.json", json.dumps({"options": options, "seeds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
