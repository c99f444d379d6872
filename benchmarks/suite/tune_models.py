"""Ten models as ordinary scripts: `hotloop tune` without hints, and beside it `torch.compile(model)` alone.

    python benchmarks/suite/tune_models.py [--only gpt ...] [--budget 5m]      # an hour and a half for all
    python benchmarks/suite/tune_models.py --table                             # the table of what is stored

`torch.compile(model)` alone is `hotloop prove` of a plan of `compile` with its defaults. Floor of the geometric mean:
1.7, aim 2.0; a script for which nothing is proven counts as 1. Needs transformers, torch-geometric, gymnasium.
Writes benchmarks/results/<machine>/suite/.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tune"))
from simulate import machine
from stored_run import stored_run

PROGRAMS = Path(__file__).with_name("programs")
FOLDER = Path(__file__).parents[1] / "results" / machine() / "suite"
MODELS = ("gpt", "bert", "vit", "resnet", "convnext", "lstm", "gat", "tabular", "rl", "autoencoder")


def measure(name: str, budget: str) -> None:
    """Both figures of one script."""
    stored_run(["tune", f"{name}.py", "--budget", budget], (), cwd=PROGRAMS, folder=FOLDER, name=name)
    with tempfile.TemporaryDirectory() as temporary:
        plan = Path(temporary) / "compile.toml"
        plan.write_text('[[transform]]\nname = "compile"\n', encoding="utf-8")
        words = ["prove", f"{name}.py", "--plan", str(plan), "--budget", "2m"]
        document = stored_run(words, (), cwd=PROGRAMS, folder=FOLDER, name=f"{name}_compile")
        document["command"] = f"hotloop prove {name}.py --plan compile.toml --budget 2m"
        (FOLDER / f"{name}_compile.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def shown(name: str) -> tuple[float, str]:
    """The proven speed-up (1 where none is) and its cell."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return 1.0, "not run"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    speedup = document.get("speedup")
    if speedup is None:
        return 1.0, document["verdict"]
    cell = f"{speedup['ratio']:.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    return (speedup["ratio"], cell) if document["verdict"] == "PASS" else (1.0, f"{document['verdict']} {cell}")


def table() -> str:
    """A row a model, and the geometric means."""
    rows = ["| model | `hotloop tune` | plan | `torch.compile(model)` |", "|---|---|---|---|"]
    ratios: list[float] = []
    alone: list[float] = []
    for name in MODELS:
        (ratio, cell), (compiled, other) = shown(name), shown(f"{name}_compile")
        path = FOLDER / f"{name}.json"
        plan = json.loads(path.read_text(encoding="utf-8"))["plan"] if path.is_file() else []
        title = ", ".join(f"`{transform['name']}`" for transform in plan) or "none"
        rows.append(f"| {name} | {cell} | {title} | {other} |")
        ratios.append(ratio)
        alone.append(compiled)
    means = [math.exp(sum(map(math.log, values)) / len(values)) for values in (ratios, alone)]
    return "\n".join([*rows, f"| geometric mean | {means[0]:.2f}x | | {means[1]:.2f}x |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        for name in given.only:
            measure(name, given.budget)
    print(table())


if __name__ == "__main__":
    main()
