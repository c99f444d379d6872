"""What pytorch-autotune 2.0.0 finds for one program of the suite; runs in its own virtual environment.

    python autotune_peer.py PROGRAM SECONDS

It takes a model, one batch and a loss in place of a script: the program runs to its first update, and these are read
from its variables. Prints its report as one JSON line. Its figures are of one process and of its own step, without the
loader and without clipping, so that they say what it found and are no proof.
"""

import inspect
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

Variables = dict[str, Any]


class FirstUpdate(Exception):
    """The program is at its first update."""


def variables(program: str) -> Variables:
    """The global variables of a program at its first update."""

    def stop(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        raise FirstUpdate

    handle = register_optimizer_step_pre_hook(stop)
    sys.path.insert(0, str(Path(program).parent))
    try:
        runpy.run_path(program)
    except FirstUpdate as reached:
        trace = reached.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.endswith(Path(program).name):
                return trace.tb_frame.f_globals.copy()
            trace = trace.tb_next
    finally:
        handle.remove()
    raise SystemExit(f"{program} ended before its first update")


def batch_and_loss(name: str, found: Variables) -> tuple[Any, Callable[..., Tensor] | None]:
    """An example batch in one of the forms that it takes, and the program's loss where that is not its default."""
    match name:
        case "gpt":
            return {"input_ids": found["tokens"], "labels": found["tokens"]}, None
        case "bert":
            return {"input_ids": found["tokens"], "labels": found["label"]}, None
        case "vit" | "convnext":
            return {"pixel_values": found["images"], "labels": found["labels"]}, None
        case "resnet":
            return (found["images"], found["labels"]), lambda out, labels: F.cross_entropy(out.logits, labels)
        case "lstm":
            batch = (found["tokens"], found["following"])
            return batch, lambda out, following: F.cross_entropy(out.flatten(0, 1), following.flatten())
        case "gat":
            graph, train = found["graph"], found["train"]
            batch = {"x": graph.x, "edge_index": graph.edge_index}
            return batch, lambda out: F.cross_entropy(out[train], graph.y[train])
        case "tabular":
            batch = {"categories": found["categories"], "numbers": found["numbers"]}
            return batch, lambda out: F.cross_entropy(out, found["labels"])
        case "autoencoder":
            return (found["batch"], found["batch"]), None
        case "rl":
            return {"observations": found["seen"]}, lambda out: policy_loss(out, found)
    raise SystemExit(f"no batch is written down for {name}")


def policy_loss(out: tuple[Tensor, Tensor], found: Variables) -> Tensor:
    """The loss of rl.py on the minibatch of its first update."""
    logits, value = out
    distribution = torch.distributions.Categorical(logits=logits)
    ratio = (distribution.log_prob(found["taken"]) - found["old"]).exp()
    advantage, clip = found["advantage"], found["CLIP"]
    policy = -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
    return policy + 0.5 * (value - found["target"]).square().mean() - 0.01 * distribution.entropy().mean()


def main() -> None:
    from pytorch_autotune import autotune  # here alone: hotloop's own environment has none

    program, seconds = sys.argv[1:]
    name = Path(program).stem
    found = variables(program)
    model, optimizer = found["agent" if name == "rl" else "model"], found["optimizer"]
    model.zero_grad()
    batch, loss = batch_and_loss(name, found)
    takes = inspect.signature(type(optimizer)).parameters
    settings = {key: value for key, value in optimizer.defaults.items() if key in takes}
    result = autotune(
        model,
        batch,
        loss_fn=loss,
        optimizer=lambda parameters: type(optimizer)(parameters, **settings),
        budget=int(seconds),
        device="cpu",
        cache=False,
        verbose=False,
    )
    told = result.report.to_dict()
    told["env"].pop("platform", None)
    print("report " + json.dumps(told))


if __name__ == "__main__":
    main()
