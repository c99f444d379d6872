"""The ranks that torchrun started, of which this process is one."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotloop.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from hotloop.train.ranks import Ranks

_LONGEST_PATH = 4096


def num_launched() -> int:
    """How many ranks there are: WORLD_SIZE, or 1 for a program that was not started by torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_single(strategy: str) -> None:
    """Raise ConfigError where several ranks were started for what one process trains."""
    if num_launched() > 1:
        raise ConfigError(
            f"{num_launched()} ranks were started for {strategy}; only strategy = 'panel' and 'ppo' train on several: "
            "start it without torchrun"
        )


def device_of_rank(device: "torch.device") -> "torch.device":
    """The GPU of this rank where several are asked for by `cuda` alone; else the device itself."""
    import torch

    if str(device) == "cuda" and num_launched() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device


@contextmanager
def launched_ranks(device: "torch.device") -> "Generator[Ranks]":
    """This process among the ranks: NCCL between GPUs, gloo between CPUs. One process needs neither."""
    from hotloop.train.ranks import Ranks

    if num_launched() == 1:
        yield Ranks()
        return
    import torch
    from torch import distributed

    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(rank=distributed.get_rank(), size=distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def agreed_path(path: str, ranks: "Ranks", device: "torch.device") -> str:
    """The path that the first rank gives, on every rank."""
    if ranks.size == 1:
        return path
    import torch

    text = path.encode()[:_LONGEST_PATH] if ranks.is_first else b""
    letters = torch.tensor(list(text.ljust(_LONGEST_PATH, b"\0")), dtype=torch.uint8, device=device)
    torch.distributed.broadcast(letters, src=0)
    return bytes(letters.tolist()).rstrip(b"\0").decode()
