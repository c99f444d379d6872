"""What the step and drift gates measure and decide on eight small recipes: the table behind their thresholds.

    OMP_NUM_THREADS=1 python benchmarks/verify/calibrate.py [--seeds 6] [--only mlp,gpt]

Gradient errors are relative 2-norms of the second step against fp64, drifts are rms of the relative loss deviation over
steps 21 to 30 against eager. `noise` is eager fp32 from weights multiplied by (1 + 2**-9 N(0, 1)), the largest of all
seeds. Writes benchmarks/results/<machine>/calibration.json with every seed's figures, loss curves and verdicts.
"""

import argparse
import dataclasses
import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from hotloop.machine.environment import record_environment
from hotloop.transform import Promise
from hotloop.verify.equivalence import check_equivalence
from hotloop.verify.fresh_job import Build
from hotloop.verify.recorded_step import RecordedStep, find_start_state, record_step
from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "verify"), str(ROOT / "benchmarks" / "compare")]
import faults  # noqa: E402
from simulate import machine  # noqa: E402
from trajectory import check_trajectory, walk  # noqa: E402

from models import FAST, SLOW, WITH_BATCH_NORM, WITHOUT_DROPOUT, recipe  # noqa: E402

BF16, FP32 = 2.0**-9, 2.0**-24
STEPS = 30
CHANGES = {
    "fused": (faults.fused_optimizer, 0.0, Promise.EXACT),
    "compiled": (faults.compiled("aot_eager"), FP32, Promise.CLOSE),
    "autocast": (faults.bf16_autocast, BF16, Promise.CLOSE),
    "pure bf16": (faults.pure_bf16, BF16, Promise.CLOSE),
}


def gradient_error(step: RecordedStep, reference: RecordedStep) -> float:
    """Relative 2-norm of the difference of all gradients."""
    gaps = [step.gradients[name] - truth for name, truth in reference.gradients.items()]
    return norm(gaps) / norm(reference.gradients.values())


def norm(tensors: Any) -> float:
    return math.sqrt(math.fsum(float(tensor.square().sum()) for tensor in tensors))


def last10(losses: Sequence[float], baseline: Sequence[float]) -> float:
    """Rms of the relative deviation over the last ten steps."""
    gaps = [(one - other) / other for one, other in zip(losses[-10:], baseline[-10:], strict=True)]
    return math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))


def measure(build: Build, seeds: range) -> dict[str, Any]:
    """Errors and loss curves of noise, autocast and pure bf16 parameters on one recipe."""
    start = find_start_state(build)
    reference = record_step(build, dtype=torch.float64, start_state=start)
    noisy = [record_step(build, noise=BF16, noise_seed=seed, start_state=start) for seed in seeds]
    paths = [walk(build, steps=STEPS, noise=BF16, noise_seed=seed) for seed in seeds]
    changes = {"eager": faults.nothing, "autocast": faults.bf16_autocast, "pure bf16": faults.pure_bf16}
    steps = {name: record_step(build, prepare=change, start_state=start) for name, change in changes.items()}
    walks = {name: walk(build, steps=STEPS, prepare=change) for name, change in changes.items()}
    return {
        "gradient_error": {
            "noise": [gradient_error(step, reference) for step in noisy],
            **{name: gradient_error(step, reference) for name, step in steps.items()},
        },
        "losses": {"noise": [path.losses for path in paths], **{name: path.losses for name, path in walks.items()}},
        "moved": {name: path.moved for name, path in walks.items()},
    }


def judge(name: str) -> dict[str, Any]:
    """Verdicts of both gates on every harmless change and every fault that the recipe has something for."""
    cases = {**CHANGES, **{of(fault): (fault, FP32, Promise.CLOSE) for fault in planted(name)}}
    cases |= {
        f"autocast + {of(fault)}": (faults.both(faults.bf16_autocast, fault), BF16, Promise.CLOSE)
        for fault in planted(name)
    }
    found: dict[str, Any] = {}
    for title, (change, roundoff, promise) in cases.items():
        step = check_equivalence(recipe(name), change, promise=promise, roundoff=roundoff)
        drift = check_trajectory(recipe(name), change, roundoff=roundoff)
        found[title] = {"step": dataclasses.asdict(step), "drift": dataclasses.asdict(drift)}
    return found


def planted(name: str) -> list[faults.Change]:
    """The faults that change something on this recipe."""
    chosen = [*faults.STEP_FAULTS, *faults.PATH_FAULTS]
    chosen += () if name in WITHOUT_DROPOUT else faults.DROPOUT_FAULTS
    chosen += faults.BATCH_NORM_FAULTS if name in WITH_BATCH_NORM else ()
    # The dropout of nn.LSTM is no Python function that could be patched.
    return [fault for fault in chosen if (name, fault) != ("lstm", faults.dropout_hidden)]


def of(fault: Callable[..., None]) -> str:
    return fault.__name__.replace("_", " ")


def row(name: str, figures: dict[str, Any], verdicts: dict[str, Any]) -> list[str]:
    """One line of the table."""
    errors, losses = figures["gradient_error"], figures["losses"]
    noise = max(errors["noise"])
    drifts = [last10(path, losses["eager"]) for path in losses["noise"]]
    refused = [title for title in verdicts if title not in CHANGES and "FAIL" in both(verdicts[title])]
    return [
        name,
        f"{median(errors['noise']):.1e}",
        f"{noise:.1e}",
        f"{errors['autocast']:.1e}",
        f"{errors['autocast'] / noise:.1f}",
        f"{max(drifts):.1e}",
        f"{last10(losses['autocast'], losses['eager']):.1e}",
        f"{last10(losses['pure bf16'], losses['eager']):.1e}",
        f"{sum(figures['moved']['pure bf16']) / STEPS:.0%}",
        *("/".join(both(verdicts[title])) for title in CHANGES),
        f"{len(refused)} of {len(verdicts) - len(CHANGES)}",
    ]


def both(verdicts: dict[str, Any]) -> tuple[str, str]:
    return verdicts["step"]["outcome"].value, verdicts["drift"]["outcome"].value


HEAD = [
    "recipe",
    "grad noise, median",
    "max",
    "grad autocast",
    "ratio",
    "last10 noise, max",
    "last10 autocast",
    "last10 pure bf16",
    "moved, pure bf16",
    *(f"{title}: step/drift" for title in CHANGES),
    "faults refused",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--only", default=",".join((*FAST, *SLOW)))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # other libraries' deprecations, and Dynamo's questions
    document: dict[str, Any] = {"schema": 1, "seeds": options.seeds, "recipes": {}}
    document["environment"] = dataclasses.asdict(record_environment(sys.argv, Path.cwd()))
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|", flush=True)
    for name in options.only.split(","):
        figures, verdicts = measure(recipe(name), range(1, options.seeds + 1)), judge(name)
        document["recipes"][name] = {**figures, "verdicts": verdicts}
        print("| " + " | ".join(row(name, figures, verdicts)) + " |", flush=True)
    out = ROOT / "benchmarks" / "results" / machine() / "calibration.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, json.dumps(finite(document), indent=1, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same with null in the place of what JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
