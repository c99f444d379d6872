"""The loader and a small model beside neuralforecast and pytorch-forecasting, each in its own virtual environment.

Each side is a process of its own that reads one line at a time: "epoch" trains one epoch of an MLP with two hidden
layers of 64 units on the same long frame, "samples" draws the batches of one epoch; both answer with seconds. Sides
take turns in random order. --setup makes a virtual environment for each peer, in a temporary folder or in
--environments, where it is found again; some minutes and a gigabyte or two each.

python -m benchmarks.panel.against_peers --setup --environments FOLDER \
    --out benchmarks/results/<machine>/panel/peers.json
"""

import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.compare.peer_environment import peer_environment
from benchmarks.panel.turns import finish, options
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

SIDES = Path(__file__).parent / "peer_sides"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
LENGTH, BATCH = 60, 1024
PEERS = {"neuralforecast": "neuralforecast==3.3.0", "pytorch_forecasting": "pytorch-forecasting==1.8.0"}


class Side:
    """A process that answers "samples" and "epoch" with the seconds that it took, and how many samples there were."""

    def __init__(self, python: str, name: str, parquet: Path) -> None:
        call = [python, str(SIDES / f"{name}_side.py"), str(parquet), str(LENGTH), str(BATCH)]
        self.process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def ask(self, what: str) -> tuple[float, int]:
        """Seconds and samples of one turn. Raises RuntimeError where the process ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> tuple[float, int]:
        """The next line of figures; what a library prints besides is passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("figures "):
                seconds, samples = line.split()[1:]
                return float(seconds), int(samples)
        raise RuntimeError(f"a side ended with code {self.process.wait()}; its errors are above")

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()


def environment(folder: Path, name: str, *, setup: bool) -> str | None:
    """The interpreter of a peer; None where there is none and none is to be made."""
    python = folder / "bin" / "python"
    if not python.exists():
        if not setup:
            print(f"{name} is left out: no {python}; --setup makes it", file=sys.stderr)
            return None
        pinned = ["-c", str(CONSTRAINTS)]  # without it pip takes a torch of gigabytes
        return peer_environment(folder, [*pinned, "torch"], [PEERS[name], "polars", "pyarrow"])
    return str(python)


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--environments", type=Path, help="where the peers' environments are")
    parser.add_argument("--setup", action="store_true", help="make those that are missing")
    parser.add_argument("--codes", type=int, default=200)
    parser.add_argument("--days", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environments = asked.environments or Path(folder) / "environments"
        pythons = {name: environment(environments / name, name, setup=asked.setup) for name in PEERS}
        pythons = {"hotloop": sys.executable, **{name: python for name, python in pythons.items() if python}}
        panel = SyntheticPanel(codes=asked.codes, days=asked.days, missing=0.0, delisted=0.0)
        parquet = write_synthetic_panel(Path(folder) / "panel.parquet", panel)
        sides = {name: Side(python, name, parquet) for name, python in pythons.items()}
        order, samples = random.Random(0), {}
        for _ in range(asked.rounds):
            for what in ("samples", "epoch"):
                for name in order.sample(list(sides), len(sides)):
                    seconds, count = sides[name].ask(what)
                    samples.setdefault(what, {}).setdefault(name, []).append((seconds, count))
        for side in sides.values():
            side.close()
    counts = {
        f"{what}, {name}, samples a second (best of {asked.rounds})": max(count / seconds for seconds, count in taken)
        for what, by_name in samples.items()
        for name, taken in by_name.items()
    }
    for what, by_name in samples.items():
        for name in set(by_name) - {"hotloop"}:
            pairs = zip(by_name["hotloop"], by_name[name], strict=True)
            ratios = sorted((own[1] / own[0]) / (other[1] / other[0]) for own, other in pairs)
            middle = statistics.median(ratios)
            counts[f"{what}, hotloop over {name}"] = f"{middle:.3g}x [{ratios[0]:.3g}, {ratios[-1]:.3g}]"
    finish({"peers": {"samples": samples, "counts": counts}}, asked.out)


if __name__ == "__main__":
    main()
