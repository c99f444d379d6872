"""Ten models as scripts, and the three smallest as recipes too: `hotloop tune` without hints, and others beside it.

    python benchmarks/suite/tune_models.py --setup                # an environment for pytorch-autotune
    python benchmarks/suite/tune_models.py [--only gpt rl_recipe ...]      # nearly two hours for all
    python benchmarks/suite/tune_models.py --table                # rewrite the README's table from what is stored

`torch.compile(model)` alone is `hotloop prove` of a plan of `compile` with its defaults, under the same gates.
pytorch-autotune 2.0.0 takes a model and a batch, and two minutes; its figure is what it told of its own step in one
process (autotune_peer.py), so that it is no proof. Floor of the geometric mean of the scripts: 1.7, aim 2.0; a script
for which nothing is proven counts as 1. Needs transformers, torch-geometric, gymnasium.
Writes benchmarks/results/<machine>/suite/.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tune"))
import readme_block
from peer_environment import peer_environment
from simulate import machine
from stored_run import stored_run

from hotloop.whole_file import write_whole

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
COMMAND = "benchmarks/suite/tune_models.py"
MODELS = ("gpt", "bert", "vit", "resnet", "convnext", "lstm", "gat", "tabular", "rl", "autoencoder")
RECIPES = ("gat_recipe", "tabular_recipe", "rl_recipe")
ENVIRONMENT = Path(tempfile.gettempdir()) / "hotloop-peers" / "pytorch-autotune"


def measure(name: str, budget: str, folder: Path) -> None:
    """All figures of one script or recipe."""
    if name in RECIPES:
        target = f"{name.removesuffix('_recipe')}.py:build"
        stored_run(["tune", target, "--budget", budget], (), cwd=HERE / "recipes", folder=folder, name=name)
        return
    programs = HERE / "programs"
    stored_run(["tune", f"{name}.py", "--budget", budget], (), cwd=programs, folder=folder, name=name)
    with tempfile.TemporaryDirectory() as temporary:
        plan = Path(temporary) / "compile.toml"
        plan.write_text('[[transform]]\nname = "compile"\n', encoding="utf-8")
        words = ["prove", f"{name}.py", "--plan", str(plan), "--budget", "2m"]
        document = stored_run(words, (), cwd=programs, folder=folder, name=f"{name}_compile")
        document["command"] = f"hotloop prove {name}.py --plan compile.toml --budget 2m"
        write_whole(folder / f"{name}_compile.json", json.dumps(document, indent=1) + "\n")
    write_whole(folder / f"{name}_autotune.json", json.dumps(autotuned(name), indent=1) + "\n")


def autotuned(name: str) -> dict[str, Any]:
    """The report of pytorch-autotune on one script, or what it said in place of one."""
    call = [str(ENVIRONMENT / "bin" / "python"), str(HERE / "autotune_peer.py"), f"programs/{name}.py", "120"]
    done = subprocess.run(call, cwd=HERE, capture_output=True, text=True, check=False, timeout=900)
    for line in done.stdout.splitlines():
        if line.startswith("report "):
            return json.loads(line.removeprefix("report "))
    return {"error": done.stderr.strip().splitlines()[-1:], "status": done.returncode}


class Stored:
    """What is stored of one machine, by the name of its folder of results, as cells of the table."""

    def __init__(self, measured_on: str) -> None:
        self.folder = RESULTS / measured_on / "suite"

    def document(self, name: str) -> dict[str, Any] | None:
        """A stored document; None where it was not run."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def judged(self, name: str) -> tuple[float, str]:
        """The proven speed-up (1 where none is) and its cell."""
        document = self.document(name)
        if document is None:
            return 1.0, "not run"
        speedup = document.get("speedup")
        if speedup is None:
            return 1.0, document["verdict"]
        cell = f"{speedup['ratio']:.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
        return (speedup["ratio"], cell) if document["verdict"] == "PASS" else (1.0, f"{document['verdict']} {cell}")

    def plan(self, name: str) -> tuple[str, str]:
        """The steps after which a proven plan has paid for its start, and its transforms."""
        document = self.document(name) or {}
        steps = document.get("payback_steps")
        title = ", ".join(f"`{transform['name']}`" for transform in document.get("plan", [])) or "none"
        return ("-" if steps is None else f"{steps:,} steps"), title

    def told(self, name: str) -> str:
        """What pytorch-autotune says that it found."""
        report = self.document(f"{name}_autotune")
        if report is None:
            return "not run"
        if "error" in report:
            return "failed"
        winner = next(trial for trial in report["trials"] if trial["config"] == report["winner"])
        words = [report["winner"]["precision"], f"compile={report['winner']['compile']}"]
        words += ["channels_last"] if report["winner"]["channels_last"] else []
        return f"{winner['speedup']:.2f}x ({', '.join(words)})"


def table(measured_on: str) -> str:
    """A row a model, the geometric means of the scripts, and a row a recipe."""
    stored = Stored(measured_on)
    heads = ("Model", "`hotloop tune`", "Pays back after", "Plan", "`torch.compile(model)`", "pytorch-autotune says")
    rows, ratios, alone = [heads, (":---",) * len(heads)], [], []
    for name in filter(stored.document, MODELS):
        (ratio, cell), (compiled, other) = stored.judged(name), stored.judged(f"{name}_compile")
        rows.append((name, cell, *stored.plan(name), other, stored.told(name)))
        ratios.append(ratio)
        alone.append(compiled)
    means = [f"{math.exp(sum(map(math.log, values)) / len(values)):.2f}x" for values in (ratios, alone)]
    rows.append((f"geometric mean of the {len(ratios)}", means[0], "", "", means[1], ""))
    recipes = filter(stored.document, RECIPES)
    rows += [(name.replace("_", ", as a "), stored.judged(name)[1], *stored.plan(name), "", "") for name in recipes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--only", nargs="*", choices=(*MODELS, *RECIPES), default=(*MODELS, *RECIPES))
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.setup:
        peer_environment(ENVIRONMENT, ["--no-deps", "pytorch-autotune==2.0.0"], borrows_torch=True)
        return
    if not given.table:
        if not ENVIRONMENT.is_dir():
            parser.error(f"{ENVIRONMENT} has no environment of pytorch-autotune; run it with --setup first")
        for name in given.only:
            measure(name, given.budget, RESULTS / machine() / "suite")
    print(table(machine()))
    if given.table:
        readme = HERE.parents[1] / "README.md"
        text = readme.read_text(encoding="utf-8")
        write_whole(readme, readme_block.rewritten(text, COMMAND, measured_on=machine(), table=table(machine())))


if __name__ == "__main__":
    main()
