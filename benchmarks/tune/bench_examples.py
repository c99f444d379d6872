"""`hotloop tune` on the examples, without hints: the table of the README.

    python benchmarks/tune/bench_examples.py                # measure all, then rewrite the table
    python benchmarks/tune/bench_examples.py --only char_gpt
    python benchmarks/tune/bench_examples.py --table        # rewrite the table from what is stored

Each result.json is kept under benchmarks/results/<machine>/tune/, with the raw blocks of its confirmation beside it.
"""

import argparse
import json
import sys
from pathlib import Path

from hotloop.records.documents import read_result
from hotloop.report import readme_table
from hotloop.whole_file import write_whole

sys.path.insert(0, str(Path(__file__).parent))
from stored_run import stored_run

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
import readme_block  # noqa: E402
from simulate import machine  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
EXAMPLES = {  # script, budget, its arguments
    "tabular_mlp": ("tabular_mlp", "5m", ()),
    "char_gpt": ("char_gpt", "8m", ()),
    "resnet_cifar_like": ("resnet_cifar_like", "8m", ("--width", "32")),
    "resnet_batch_128": ("resnet_cifar_like", "10m", ("--batch-size", "128")),  # the batch of He et al. 2015
    "digits_cnn": ("digits_cnn", "5m", ()),
}
COMMAND = "benchmarks/tune/bench_examples.py"


def tune(name: str, script: str, budget: str, arguments: tuple[str, ...]) -> None:
    words = ["tune", f"examples/{script}.py", "--budget", budget]
    stored_run(words, arguments, cwd=ROOT, folder=RESULTS / machine() / "tune", name=name)


def table(measured_on: str) -> str:
    """The rows of one machine, by the name of its folder of results."""
    stored = [RESULTS / measured_on / "tune" / f"{name}.json" for name in EXAMPLES]
    return readme_table([read_result(json.loads(path.read_text(encoding="utf-8"))) for path in stored if path.exists()])


def rewrite(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    write_whole(readme, readme_block.rewritten(text, COMMAND, measured_on=machine(), table=table(machine())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=EXAMPLES)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        for name, example in EXAMPLES.items():
            if given.only in (None, name):
                tune(name, *example)
    rewrite(ROOT / "README.md")


if __name__ == "__main__":
    main()
