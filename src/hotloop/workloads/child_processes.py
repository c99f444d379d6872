"""Which processes the program starts by itself, and whether one of them trains: hotloop follows only the first one.

What is known is kept in a file, for the parent to read however the program ends: one line for each process, with what
it runs, and one where a forked child has stepped an optimizer. What loaders start is left out.
"""

import os
import sys
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

CHILDREN = "children"
_STEPPED = "stepped"


def note_children(listed: Path) -> None:
    """From now on write to `listed` what this process starts."""
    original = BaseProcess.start

    def start(self: BaseProcess) -> None:
        target = getattr(self, "_target", None) or type(self).run
        if not target.__module__.startswith(("torch.utils.data.", "multiprocessing.")):
            _add(listed, f"{target.__module__}.{target.__qualname__}")
        original(self)

    BaseProcess.start = start
    sys.addaudithook(lambda event, args: _note_program(listed, args) if event == "subprocess.Popen" else None)
    os.register_at_fork(after_in_child=lambda: _note_first_step(listed))


def told_of_children(listed: Path) -> str:
    """What `listed` says, as the reason why nobody saw a step; empty where the program started nothing."""
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ""
    started = Counter(line for line in lines if line != _STEPPED)
    what = ", ".join(f"{count} x {name}" for name, count in started.items()) or "by fork"
    seen = ", and an optimizer stepped in one of them" if _STEPPED in lines else ""
    return (
        f"the program trains in child processes (it started {what}{seen}), and hotloop follows the process that it "
        "starts itself and no other; let it train there, as with one worker and neither spawn nor fork"
    )


def _note_program(listed: Path, args: tuple[Any, ...]) -> None:
    name = os.path.basename(os.fsdecode(args[0]))
    if name.startswith(("python", "torchrun", "accelerate", "deepspeed")):
        _add(listed, " ".join(map(str, args[1][:4])) if isinstance(args[1], (list, tuple)) else str(args[1]))


def _note_first_step(listed: Path) -> None:
    """In a child that was forked: the first step of an optimizer is written down."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    told: list[int] = []

    def after_step(*_: Any) -> None:
        if os.getpid() not in told:
            told.append(os.getpid())
            _add(listed, _STEPPED)

    register_optimizer_step_post_hook(after_step)


def _add(listed: Path, line: str) -> None:
    with listed.open("a", encoding="utf-8") as file:
        file.write(line.replace("\n", " ") + "\n")
