"""Plain against tuned, for scripts whose steps wait for data, with workers and without.

    python benchmarks/data_path/side_by_side.py                        # five scripts: ten proofs of some minutes each
    python benchmarks/data_path/side_by_side.py --only text --workers 0
    python benchmarks/data_path/side_by_side.py --libraries            # loops of three libraries, from the extra
                                                                       # `libraries`: six proofs

Each script is tuned by `hotloop.find_plan` among the transforms of the data path alone, unmodified; what is stored is
the confirmation in fresh processes, the gates' verdicts, and the reason of each transform that was refused. Writes
benchmarks/results/<machine>/data_path/<script>_<workers>.json, with the raw blocks of the confirmation beside it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from simulate import machine

import hotloop
from hotloop.proof.session import Options
from hotloop.records.documents import result_data
from hotloop.whole_file import write_whole
from hotloop.workload import parse_workload

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


def tuned(name: str, *, workers: int, budget: float) -> dict[str, object]:
    """The result of tuning one script, as its document."""
    script, *arguments = (SCRIPTS | LIBRARIES)[name]
    workload = parse_workload(script, (*arguments, "--epochs", "100000", "--workers", str(workers)), folder=PROGRAMS)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            budget=budget, only=TRANSFORMS, out=Path(folder) / "out", history=f"sqlite:///{folder}/history.db"
        )
        result = hotloop.find_plan(workload, options=options)
        raw = (Path(folder) / "out" / "evidence" / "samples.jsonl").read_text(encoding="utf-8")
    FOLDER.mkdir(parents=True, exist_ok=True)
    confirmed = [line for line in raw.splitlines(True) if json.loads(line)["comparison"].startswith("confirm")]
    write_whole(FOLDER / f"{name}_{workers}.samples.jsonl", "".join(confirmed))
    document = result_data(result)
    document["environment"].update(argv=[], allocators={})  # nothing of this machine's paths
    return {**document, "evidence": f"{name}_{workers}.samples.jsonl"}


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
            write_whole(FOLDER / f"{name}_{workers}.json", json.dumps(document, indent=1) + "\n")
            print(name, workers, document["verdict"], document["speedup"], document["plan"], flush=True)


if __name__ == "__main__":
    main()
