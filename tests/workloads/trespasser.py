"""Tries actions under the protecting hook, each with fresh files; prints {action: reason it was stopped for, or null}.

Called as `python trespasser.py FOLDER ACTION...`; each action is an expression, run in a scratch copy of its own.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

import torch

from hotloop.workloads.protect import Made, WriteGuard, announce_torch_writes
from hotloop.workloads.scratch import Scratch, make_scratch


class Stopped(BaseException):
    """Raised in place of the end of the process."""


def stop(reason: str) -> NoReturn:
    raise Stopped(reason)


def main() -> None:
    folder = Path(sys.argv[1])
    scratches = {action: make_scratch((folder,), may_overwrite=("free*",)) for action in sys.argv[2:]}
    guards: list[Any] = []
    sys.addaudithook(lambda event, args: guards[-1].audit(event, args) if guards else None)
    print(json.dumps({action: tried(action, scratch, folder, guards) for action, scratch in scratches.items()}))
    for scratch in scratches.values():
        shutil.rmtree(scratch.folder)


def tried(action: str, scratch: Scratch, folder: Path, guards: list[Any]) -> str | None:
    os.chdir(scratch.copy_of(folder))
    made = Made(folder.parent / "made", scratch.folder.name)
    guards.append(WriteGuard(scratch, caches=(folder.parent / "cache",), made=made, stop=stop))
    if torch.save.__module__ == "torch.serialization":
        announce_torch_writes()
    try:
        exec(action, {"os": os, "torch": torch, "Path": Path, "FOLDER": folder})
    except Stopped as reason:
        return str(reason)
    finally:
        guards.clear()
    return None


main()
