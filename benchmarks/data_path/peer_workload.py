"""One of the five scripts as loadtune wants it: PEER_SCRIPT="images.py --augment" loadtune tune peer_workload.py

Its data set, model and optimizer are those that the unmodified script builds: it runs as far as its first batch.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import torch
from loadtune.workload import Workload
from torch import nn

PROGRAMS = Path(__file__).parent / "programs"


class _FirstBatch(Exception):
    """The script is about to ask for its first batch."""


def built() -> dict[str, Any]:
    """What stands in `main` of the script by then."""

    def stop(_: Any) -> Any:
        raise _FirstBatch

    script, *arguments = os.environ["PEER_SCRIPT"].split()
    argv, begin = sys.argv, torch.utils.data.DataLoader.__iter__
    sys.argv, torch.utils.data.DataLoader.__iter__ = [script, *arguments], stop
    try:
        runpy.run_path(str(PROGRAMS / script), run_name="__main__")
    except _FirstBatch as reached:
        frame = reached.__traceback__
        while frame is not None and frame.tb_frame.f_code.co_name != "main":
            frame = frame.tb_next
        if frame is not None:
            return dict(frame.tb_frame.f_locals)
    finally:
        sys.argv, torch.utils.data.DataLoader.__iter__ = argv, begin
    raise SystemExit(f"{script} has asked for no batch in a function named main")


def get_workload() -> Workload:
    """The workload, as loadtune asks for it."""
    made = built()
    loader, net, optimizer = made["loader"], made["net"], made["optimizer"]
    is_regression = "parquet" in os.environ["PEER_SCRIPT"]

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, device: Any) -> torch.Tensor:
        x, y = (part.to(device) for part in batch)
        optimizer.zero_grad()
        out = model(x)
        loss = nn.functional.mse_loss(out[:, 0], y) if is_regression else nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        return loss

    return Workload(
        name=os.environ["PEER_SCRIPT"],
        make_dataset=lambda: loader.dataset,
        make_model=lambda: net,
        train_step=step,
        make_optimizer=lambda model: type(optimizer)(model.parameters(), lr=optimizer.defaults["lr"]),
        default_batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
    )
