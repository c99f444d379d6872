"""`hotloop tune` on the examples, without hints: the table of the README.

    python benchmarks/tune/bench_examples.py                # measure all, then rewrite the table
    python benchmarks/tune/bench_examples.py --only char_gpt
    python benchmarks/tune/bench_examples.py --table        # rewrite the table from what is stored

Each result.json is kept under benchmarks/results/<machine>/tune/, with the raw blocks of its confirmation beside it.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from hotloop.records.documents import read_result
from hotloop.report import readme_table
from hotloop.whole_file import write_whole

sys.path.insert(0, str(Path(__file__).parent))
from stored_run import stored_run

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "compare"))
from simulate import machine  # noqa: E402

FOLDER = ROOT / "benchmarks" / "results" / machine() / "tune"
EXAMPLES = {  # script, budget, its arguments
    "tabular_mlp": ("tabular_mlp", "5m", ()),
    "char_gpt": ("char_gpt", "8m", ()),
    "resnet_cifar_like": ("resnet_cifar_like", "8m", ("--width", "32")),
    "resnet_batch_128": ("resnet_cifar_like", "10m", ("--batch-size", "128")),  # the batch of He et al. 2015
    "digits_cnn": ("digits_cnn", "5m", ()),
}
BEGIN, END = "<!-- table: benchmarks/tune/bench_examples.py -->", "<!-- end of table -->"


def tune(name: str, script: str, budget: str, arguments: tuple[str, ...]) -> None:
    words = ["tune", f"examples/{script}.py", "--budget", budget]
    stored_run(words, arguments, cwd=ROOT, folder=FOLDER, name=name)


def table() -> str:
    stored = [FOLDER / f"{name}.json" for name in EXAMPLES]
    return readme_table([read_result(json.loads(path.read_text(encoding="utf-8"))) for path in stored if path.exists()])


def rewrite(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    block = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    write_whole(readme, block.sub(lambda _: f"{BEGIN}\n\n{table().strip()}\n\n{END}", text))


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
