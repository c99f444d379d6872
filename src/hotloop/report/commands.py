"""The commands that a reader types next, as a shell needs them."""

import math
import re
import shlex
from pathlib import Path

from hotloop.trial import Result
from hotloop.verdict import Outcome

# "train.py --epochs 3" or "file.py:build (seed 0)" or "digits_mlp (seed 0)", as the titles of workloads are written.
_SCRIPT = re.compile(r"(?P<target>.*?\.py)(?: (?P<arguments>.*))?", re.DOTALL)
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
        return _command(result, "prove", "--plan", str(plan), "--budget", f"{minutes}m")
    return _command(result, "diagnose")


def _command(result: Result, verb: str, *options: str) -> str:
    recipe = _RECIPE.fullmatch(result.workload)
    script = None if recipe else _SCRIPT.fullmatch(result.workload)
    found = recipe or script
    target = found["target"] if found else result.workload
    command = shlex.join(["hotloop", verb, target, *options])
    # The recorded command holds the arguments as the shell needs them; the title lost the quotes.
    arguments = result.command.partition(" -- ")[2] or (script["arguments"] if script else "")
    return f"{command} -- {arguments}" if arguments else command
