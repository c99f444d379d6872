"""2,000 updates of PPO on shogi, once whole and once killed ten times at random: memory, recompiles, and equal bits.

    python benchmarks/ppo/soak.py [--updates 2000] [--kills 10] [--compile]        # about half an hour

Both runs are `hotloop train` in processes of their own, with one thread. The first is watched: its resident memory
after each hundredth part of the updates, and how often Dynamo compiled something again.
The second is killed (SIGKILL) after a random number of updates and resumed, again and again; its final weights and the
losses of all updates must be those of the first, bit by bit.

Writes benchmarks/results/<machine>/ppo_soak.json.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

from hotloop.whole_file import write_whole

CONFIG = """
strategy = "ppo"
seed = 0
checkpoint_every = 10

[environment]
name = "shogi"
num_envs = 4
actions = "spatial"
max_plies = 64
random_plies = 4

[model]
name = "resnet"
depth = 1
width = 16

[ppo]
total_steps = {steps}
num_steps = 16
batch_size = 64
passes = 1
lr_schedule = "linear"
threads = 1
{compile}

[evaluation]
games = 0
"""


def started(config: Path, out: Path, *words: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "hotloop.cli.app", "train", str(config), "--out", str(out), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_LOGS": "+recompiles"}
    log = (out / "log.txt").open("ab")
    return subprocess.Popen(call, stdout=log, stderr=log, env=environment)


def updates_told(folder: Path) -> int:
    """How many updates the run has reported."""
    events = folder / "events.csv"
    if not events.is_file():
        return 0
    lines = [line for line in events.read_text(encoding="utf-8").splitlines() if '"update ' in line]
    return int(lines[-1].split('"update ')[1].split()[0]) if lines else 0


def whole(config: Path, out: Path, updates: int) -> list[tuple[int, int]]:
    """Updates and resident bytes of a run that nobody disturbs."""
    process = started(config, out, "--name", "run")
    watched, samples, following = psutil.Process(process.pid), list[tuple[int, int]](), 0
    while process.poll() is None:
        told = updates_told(out / "run")
        if told >= following and told:
            try:
                samples.append((told, watched.memory_info().rss))
            except psutil.NoSuchProcess:
                break
            following = told + max(1, updates // 100)
        time.sleep(0.2)
    if process.wait():
        raise SystemExit(f"the run failed: {(out / 'log.txt').read_text()[-2000:]}")
    return samples


def killed(config: Path, out: Path, updates: int, kills: int) -> list[int]:
    """The updates after which the run was killed; it has ended by itself in the end."""
    draws, places = random.Random(0), list[int]()
    targets = sorted(draws.sample(range(1, updates - 1), kills))
    words: tuple[str, ...] = ("--name", "run")
    for target in targets:
        process = started(config, out, *words)
        while updates_told(out / "run") < target:
            if process.poll() is not None:
                raise SystemExit(f"the run ended at {updates_told(out / 'run')} before it could be killed at {target}")
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        places.append(updates_told(out / "run"))
        words = ("--resume", str(out / "run"))
    if started(config, out, *words).wait():
        raise SystemExit(f"the resumed run failed: {(out / 'log.txt').read_text()[-2000:]}")
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="with the step compiled whole")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        config = home / "soak.toml"
        compiled = 'compile = "step"' if given.compile else ""
        config.write_text(CONFIG.format(steps=given.updates * 64, compile=compiled), encoding="utf-8")
        (home / "whole").mkdir()
        (home / "killed").mkdir()
        memory = whole(config, home / "whole", given.updates)
        places = killed(config, home / "killed", given.updates, given.kills)
        found = compared(home / "whole", home / "killed")
    settled = [size for update, size in memory if update >= given.updates // 10]
    document = {
        "updates": given.updates,
        "compiled": given.compile,
        "killed_after": places,
        **found,
        "resident_bytes": memory,
        "growth_after_a_tenth": settled[-1] / settled[0] - 1,
    }
    print({name: value for name, value in document.items() if name != "resident_bytes"})
    name = "ppo_soak_step.json" if given.compile else "ppo_soak.json"
    write_whole(Path(__file__).parents[1] / "results" / machine() / name, json.dumps(document, indent=1) + "\n")


def compared(ours: Path, theirs: Path) -> dict[str, Any]:
    """Whether weights and losses are equal, and how often something was compiled again."""
    weights = [(home / "run" / "checkpoints" / "final" / "model.safetensors").read_bytes() for home in (ours, theirs)]
    histories = [
        [{name: value for name, value in row.items() if "second" not in name} for row in json.loads(text)["history"]]
        for text in ((home / "run" / "metrics.json").read_text(encoding="utf-8") for home in (ours, theirs))
    ]
    recompiles = (ours / "log.txt").read_text(encoding="utf-8", errors="replace").count("Recompiling function")
    return {
        "same_weights": weights[0] == weights[1],
        "same_losses": histories[0] == histories[1],
        "recompiles": recompiles,
    }


if __name__ == "__main__":
    main()
