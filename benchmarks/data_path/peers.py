"""What loadtune 0.3.0 and train-doctor 0.2.0 (PyPI) find and win on the five scripts of side_by_side.py.

    python benchmarks/data_path/peers.py --setup             # a virtual environment for each, in a temporary folder
    python benchmarks/data_path/peers.py --only text         # one script; about five minutes for both
    python benchmarks/data_path/peers.py                     # all five

Both tools run the same torch as hotloop. Writes benchmarks/results/<machine>/data_path/peers.json: the exact commands,
what each tool printed, and the figures that it stored itself. What hotloop wins on the same scripts is in the files of
side_by_side.py beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "compare"))
from peer_environment import peer_environment
from side_by_side import FOLDER, PROGRAMS, SCRIPTS

from hotloop.whole_file import write_whole

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = Path(tempfile.gettempdir()) / "hotloop-peers"
PACKAGES = {"loadtune": "loadtune==0.3.0", "train-doctor": "train-doctor==0.2.0"}
LIMIT = 900  # seconds for one tool on one script


def set_up() -> None:
    """Install each tool on its own; loadtune, which imports torch, finds that of this interpreter."""
    for name, package in PACKAGES.items():
        borrows = name == "loadtune"
        peer_environment(ENVIRONMENTS / name, [*(["--no-deps"] if borrows else []), package], borrows_torch=borrows)


def loadtune(script: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Its report on one script, in its own words and figures."""
    raw = folder / "raw.json"
    call = [ENVIRONMENTS / "loadtune/bin/loadtune", "tune", Path(__file__).with_name("peer_workload.py")]
    done = _run([*call, "--no-plots", "--save-raw", raw], folder, PEER_SCRIPT=" ".join(script))
    report = folder / "loadtune_report.md"
    return {
        **done,
        "report": report.read_text(encoding="utf-8") if report.exists() else "",
        "figures": json.loads(raw.read_text(encoding="utf-8")) if raw.exists() else None,
    }


def train_doctor(script: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """The same of `train-doctor fix`, on the unmodified script."""
    call = [ENVIRONMENTS / "train-doctor/bin/train-doctor", "fix", "--json", "--no-card", "--quiet", "--cwd", PROGRAMS]
    program = [sys.executable, PROGRAMS / script[0], *script[1:], "--epochs", "100000"]
    done = _run([*call, "--out", folder / "runs", "--", *program], folder)
    try:
        return {**done, "figures": json.loads(done["printed"])}
    except json.JSONDecodeError:
        return {**done, "figures": None}


def _run(call: list[Any], folder: Path, **variables: str) -> dict[str, Any]:
    command = list(map(str, call))
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"command": command, "status": "too slow", "printed": "", "errors": f"not done after {LIMIT} s"}
    return {"command": command, "status": done.returncode, "printed": done.stdout, "errors": done.stderr[-4000:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--only", choices=SCRIPTS)
    parser.add_argument("--tool", choices=PACKAGES, help="one of the two; what is stored of the other stays")
    given = parser.parse_args()
    if given.setup:
        set_up()
        return
    if not all((ENVIRONMENTS / name).is_dir() for name in PACKAGES):
        parser.error(f"{ENVIRONMENTS} has no environments of the two tools; run it with --setup first")
    path = FOLDER / "peers.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in [given.only] if given.only else SCRIPTS:
        for tool, asked in {"loadtune": loadtune, "train-doctor": train_doctor}.items():
            if given.tool in (None, tool):
                with tempfile.TemporaryDirectory() as folder:
                    told = asked(SCRIPTS[name], Path(folder))
                    found.setdefault(name, {})[tool] = _without_places(told, Path(folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found, indent=1) + "\n")
        print(name, {tool: told["status"] for tool, told in found[name].items()}, flush=True)


def _without_places(told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same, with the folders of this machine by name."""
    text = json.dumps(told)
    for place, name in ((sys.executable, "python"), (folder, "FOLDER"), (ENVIRONMENTS, "PEERS"), (ROOT, ".")):
        text = text.replace(str(place), name)
    return json.loads(text)


if __name__ == "__main__":
    main()
