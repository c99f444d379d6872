"""The commands that a reader types next, as a shell needs them."""

import math
import re
import shlex
from pathlib import Path

from hotloop.trial import Result
from hotloop.verdict import Outcome

# "train.py --epochs 3" or "file.py:build (seed 0)" or "digits_mlp (seed 0)", as the titles of workloads are written; a
# script of several ranks has the call of torchrun before it.
_SCRIPT = re.compile(
    r"(?:torchrun --nproc-per-node (?P<ranks>\d+) )?(?P<target>.*?\.py)(?: (?P<arguments>.*))?", re.DOTALL
)
_RECIPE = re.compile(r"(?P<target>.*) \(seed -?\d+\)", re.DOTALL)


def run_command(result: Result, plan: str | Path = "plan.toml") -> str:
    """The command that trains under the plan, to be typed where the workload was named."""
    return _command(result, "run", "--plan", str(plan))


def next_command(result: Result, plan: str | Path = "plan.toml") -> str:
    """What to do with the verdict: train under the plan, measure it for twice as long, or see where the time goes."""
    if result.plan and result.verdict is Outcome.PASS:
        return run_command(result, plan)
    if result.plan and result.verdict is Outcome.INCONCLUSIVE:
        minutes = max(1, math.ceil(2 * result.tuning_seconds / 60))
        if result.objective.counts_memory and result.evidence:  # prove takes the objective from the evidence alone
            return shlex.join(["hotloop", "prove", "--replay", result.evidence, "--budget", f"{minutes}m"])
        if result.objective.counts_memory:
            names = ",".join(str(table["name"]) for table in result.plan)
            options = ("--objective", result.objective.value, "--transforms", names)
            return _command(result, "tune", *options, "--budget", f"{minutes}m")
        return _command(result, "prove", "--plan", str(plan), "--budget", f"{minutes}m")
    return _command(result, "diagnose")


def _command(result: Result, verb: str, *options: str) -> str:
    recipe = _RECIPE.fullmatch(result.workload)
    script = None if recipe else _SCRIPT.fullmatch(result.workload)
    found = recipe or script
    target = found["target"] if found else result.workload
    command = shlex.join(_call(verb, target, script["ranks"] if script else None, options))
    # The recorded command holds the arguments as the shell needs them; the title lost the quotes.
    typed = result.command.partition(" -- ")[2]
    arguments = "" if typed.startswith("torchrun ") else typed
    arguments = arguments or (script["arguments"] if script else "")
    return f"{command} -- {arguments}" if arguments else command


def _call(verb: str, target: str, ranks: str | None, options: tuple[str, ...]) -> list[str]:
    """What to call: of several ranks each runs under the plan by itself, and no command follows only one of them."""
    if ranks is None:
        return ["hotloop", verb, target, *options]
    if verb == "run":
        return ["torchrun", "--nproc-per-node", ranks, "--no-python", "hotloop", verb, target, *options]
    return ["hotloop", "tune" if verb == "diagnose" else verb, target, "--nproc", ranks, *options]
