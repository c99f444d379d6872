"""The same fits by hotloop and by an installed psann, epoch by epoch.

    python benchmarks/hisso/parity.py --peer /path/to/python

The peer's Python needs psann, NumPy and torch. Same data, seed and settings, one thread, CPU. Writes the loss or reward
of each epoch under both, and the largest relative differences; ends with status 1 where fits that are meant to agree
differ by more than `--allowed`.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parity_fits import EPOCHS, SEED, Fit, fits

from hotloop.machine.environment import record_environment
from hotloop.whole_file import write_whole

RESULTS = Path(__file__).parents[1] / "results" / "amd-epyc-2-cores" / "hisso"
_KEPT = ("cpu", "platform", "python", "torch", "hotloop", "git_revision", "git_dirty")


def main() -> None:
    """Do the fits under both, print the table, write the document."""
    options = _options()
    document = _document(_worker("hotloop", sys.executable), _worker("psann", options.peer), options.allowed)
    sys.stdout.write(table(document) + "\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.output, json.dumps(document, indent=1, allow_nan=False) + "\n")
    if document["beyond_allowed"]:
        raise SystemExit(f"differ by more than {options.allowed:g}: {'; '.join(document['beyond_allowed'])}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="a Python that has psann")
    parser.add_argument("--allowed", type=float, default=1e-4, help="relative difference of any epoch")
    parser.add_argument("--output", type=Path, default=RESULTS / "parity.json")
    return parser.parse_args()


def _worker(package: str, python: str) -> dict[str, Any]:
    """What parity_fits.py answers under that Python."""
    call = [python, str(Path(__file__).with_name("parity_fits.py")), package]
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(call, env={**os.environ, **one}, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the worker of {package} ended with status {done.returncode}; its message is above")
    return json.loads(done.stdout)


def _document(ours: dict[str, Any], theirs: dict[str, Any], allowed: float) -> dict[str, Any]:
    entries = [compare(title, fit, ours["fits"][title], theirs["fits"][title]) for title, fit in fits().items()]
    equal = [entry for entry in entries if entry["differs"] is None]
    # Where an interpreter lies concerns nobody else: the call is kept without it, the environment without paths.
    environment = asdict(record_environment([], Path.cwd()))
    return {
        "command": "python benchmarks/hisso/parity.py --peer PYTHON",
        "environment": {name: environment[name] for name in _KEPT},
        "workers": {"hotloop": ours["about"], "psann": theirs["about"]},
        "options": {"seed": SEED, "epochs": EPOCHS, "allowed": allowed, "threads": 1},
        "fits_meant_to_agree": len(equal),
        "largest_epoch_difference": max(entry["largest_epoch_difference"] for entry in equal),
        "largest_prediction_difference": max(
            entry["prediction_difference"] for entry in equal if entry["predictions_differ"] is None
        ),
        "beyond_allowed": [e["title"] for e in equal if not e["largest_epoch_difference"] <= allowed],
        "fits": entries,
    }


def compare(title: str, fit: Fit, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """One fit under both: its figures, and how far they are apart.

    An epoch's difference is relative to the peer's figure, that of the predictions to their largest one.
    """
    epochs = [
        {"hotloop": a, "psann": b, "difference": relative(a - b, b)}
        for a, b in zip(ours["epochs"], theirs["epochs"], strict=True)
    ]
    pairs = list(zip(ours["predictions"], theirs["predictions"], strict=True))
    apart, largest = max(abs(a - b) for a, b in pairs), max(abs(b) for _, b in pairs)
    return {
        "title": title,
        "estimator": fit.target,
        "params": dict(fit.params),
        "fit": dict(fit.fit),
        "theirs": {"maker": fit.theirs or fit.target, "params": dict(fit.their_params or fit.params)},
        "differs": fit.differs,
        "predictions_differ": fit.predictions_differ,
        "epochs": epochs,
        "largest_epoch_difference": max(entry["difference"] for entry in epochs),
        "prediction_difference": relative(apart, largest),
    }


def relative(apart: float, scale: float) -> float:
    """|apart| in units of |scale|; raises ValueError for figures that are not numbers, or a scale of 0."""
    if not (math.isfinite(apart) and math.isfinite(scale) and scale):
        raise ValueError(f"got a difference of {apart} at {scale}; finite figures away from 0 compare: mend the fit")
    return abs(apart) / abs(scale)


def table(document: dict[str, Any]) -> str:
    """The differences as a Markdown table."""
    lines = ["| fit | epochs differ by | predictions differ by | remark |", "|---|---|---|---|"]
    lines += [
        f"| {entry['title']} | {entry['largest_epoch_difference']:.1e} | {entry['prediction_difference']:.1e} | "
        f"{entry['differs'] or entry['predictions_differ'] or ''} |"
        for entry in document["fits"]
    ]
    lines.append(
        f"| largest of {document['fits_meant_to_agree']} meant to agree | {document['largest_epoch_difference']:.1e} | "
        f"{document['largest_prediction_difference']:.1e} | |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
