"""One `hotloop tune` or `prove` whose result and confirmed blocks are kept under benchmarks/results."""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hotloop.whole_file import write_whole


def stored_run(words: list[str], rest: tuple[str, ...], *, cwd: Path, folder: Path, name: str) -> dict[str, Any]:
    """Run `hotloop WORDS --out ... -- REST` in `cwd`; its result.json, without anything of this machine's paths.

    Leaves `folder`/`name`.json and `name`.samples.jsonl. Raises SystemExit where hotloop itself fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "out"
        call = [sys.executable, "-m", "hotloop.cli.app", *words, "--out", str(out)]
        call += ["--history", f"sqlite:///{temporary}/history.db", "--", *rest]
        done = subprocess.run(call, cwd=cwd, check=False)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"{words[0]} of {name} left with {done.returncode}")
        document = json.loads((out / "result.json").read_text(encoding="utf-8"))
        document["evidence"] = f"{name}.samples.jsonl"
        document["command"] = shlex.join(["hotloop", *words, *(["--", *rest] if rest else [])])
        document["environment"].update(argv=[], allocators={})
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{name}.json", json.dumps(document, indent=1) + "\n")
        lines = (out / "evidence" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        blocks = [block for block in map(json.loads, lines) if block["comparison"].startswith(("confirm", "prove"))]
        write_whole(folder / f"{name}.samples.jsonl", "".join(map(_short, blocks)))
        return document


def _short(block: dict[str, Any]) -> str:
    """A block as a line, times to a tenth of a microsecond and without losses: a third of the size."""
    block = {name: value for name, value in block.items() if name != "losses"}
    for clock in ("wall", "cpu", "cuda"):
        block[clock] = [round(seconds, 7) for seconds in block.get(clock, [])]
    return f"{json.dumps(block)}\n"
