"""A worker that fits one package's estimators when it is told to, and reports; run by side_by_side.py.

Needs NumPy, torch and the package it measures, and nothing of hotloop where that is the peer. Orders and answers are
JSON lines over a pipe; what the package prints goes to stderr.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from fitting import fit_once, read_case


def main() -> None:
    """Serve orders until the pipe closes: `{"case": PATH}` answers with what fit_once measured."""
    package, core = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, {core})
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    answers.write(json.dumps(_describe(package, torch.__version__)) + "\n")
    orders: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        path = json.loads(line)["case"]
        if path not in orders:
            orders[path] = read_case(Path(path))
        answers.write(json.dumps(fit_once(package, orders[path]), default=str) + "\n")


def _describe(package: str, torch_version: str) -> dict[str, Any]:
    from importlib.metadata import version

    return {"package": package, "version": version(package), "torch": torch_version, "python": sys.version.split()[0]}


if __name__ == "__main__":
    main()
