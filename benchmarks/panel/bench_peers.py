"""The loader and a small model beside neuralforecast and pytorch-forecasting, each in its own virtual environment.

Each side is a process of its own that reads one line at a time: "epoch" trains one epoch of an MLP with two hidden
layers of 64 units on the same long frame, "samples" draws the batches of one epoch; both answer with seconds. Sides
take turns in random order. Environments are made once by hand, since each wants its own torch:

python -m venv /somewhere/nf && /somewhere/nf/bin/pip install neuralforecast==3.3.0 polars pyarrow
python -m venv /somewhere/pf && /somewhere/pf/bin/pip install pytorch-forecasting==1.8.0 polars pyarrow
python -m benchmarks.panel.bench_peers --neuralforecast /somewhere/nf/bin/python --pytorch-forecasting ... --out FILE
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.panel.turns import finish, options
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel

SIDES = Path(__file__).parent / "peer_sides"
LENGTH, BATCH = 60, 1024


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


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--neuralforecast", help="an interpreter that has it")
    parser.add_argument("--pytorch-forecasting", help="an interpreter that has it")
    parser.add_argument("--codes", type=int, default=200)
    parser.add_argument("--days", type=int, default=500)
    asked = parser.parse_args()
    given = {"neuralforecast": asked.neuralforecast, "pytorch_forecasting": asked.pytorch_forecasting}
    pythons = {"hotloop": sys.executable, **{name: python for name, python in given.items() if python}}
    with tempfile.TemporaryDirectory() as folder:
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
    finish({"peers": {"samples": samples, "counts": counts}}, asked.out)


if __name__ == "__main__":
    main()
