"""Plain against tuned, for scripts whose steps wait for data, with workers and without.

    python benchmarks/data_path/side_by_side.py                        # five scripts: ten proofs of some minutes each
    python benchmarks/data_path/side_by_side.py --only text --workers 0
    python benchmarks/data_path/side_by_side.py --libraries            # loops of three libraries, from the extra
                                                                       # `libraries`: six proofs

Each script is tuned by `hotloop tune` among the transforms of the data path alone, unmodified; what is stored is
the confirmation in fresh processes, the gates' verdicts, and the reason of each transform that was refused. Writes
benchmarks/results/<machine>/data_path/<script>_<workers>.json, with the raw blocks of the confirmation beside it.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tune"))
from simulate import machine
from stored_run import stored_run

PROGRAMS = Path(__file__).parent / "programs"
FOLDER = Path(__file__).parents[1] / "results" / machine() / "data_path"
TRANSFORMS = ("batched_fetch", "cached_samples", "resident_data", "data_loading", "prefetch_thread")
SCRIPTS = {
    "tensor_rows": ("tensor_rows.py",),
    "images": ("images.py",),
    "parquet_rows": ("parquet_rows.py",),
    "text": ("text.py",),
    "augmented": ("images.py", "--augment"),
}
LIBRARIES = {
    "trainer_text": ("trainer_text.py",),
    "lightning_images": ("lightning_images.py",),
    "geometric_graphs": ("geometric_graphs.py",),
}


def tuned(name: str, *, workers: int, budget: float) -> dict[str, Any]:
    """The result of tuning one script, which is stored."""
    script, *arguments = (SCRIPTS | LIBRARIES)[name]
    words = ["tune", script, "--budget", f"{budget:g}s", "--transforms", ",".join(TRANSFORMS)]
    rest = (*arguments, "--epochs", "100000", "--workers", str(workers))
    return stored_run(words, rest, cwd=PROGRAMS, folder=FOLDER, name=f"{name}_{workers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SCRIPTS | LIBRARIES)
    parser.add_argument("--libraries", action="store_true", help="the loops of libraries in place of plain scripts")
    parser.add_argument("--workers", type=int, choices=(0, 2))
    parser.add_argument("--budget", type=float, default=300.0, help="seconds for each")
    given = parser.parse_args()
    for name in [given.only] if given.only else LIBRARIES if given.libraries else SCRIPTS:
        for workers in (0, 2) if given.workers is None else (given.workers,):
            document = tuned(name, workers=workers, budget=given.budget)
            print(name, workers, document["verdict"], document["speedup"], document["plan"], flush=True)


if __name__ == "__main__":
    main()
