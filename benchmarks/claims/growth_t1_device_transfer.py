"""Growth table: non_blocking=True in every transfer, whether or not the memory is pinned."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.claims.evidence import Evidence, digits, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

SIZE = "transfer of 64 MB beside a product"
BLOCKING, UNPINNED, PINNED = "blocking", "non_blocking, not pinned", "non_blocking, pinned"


def advice(loader: DataLoader[Any], device: torch.device) -> str:
    """Why non_blocking=True does nothing for this loader and device; empty where it does something or is not needed."""
    if device.type != "cuda" or loader.pin_memory:
        return ""
    return (
        "non_blocking=True from memory that is not pinned does not overlap with anything; "
        "give the DataLoader pin_memory=True"
    )


def comparison() -> Comparison:
    host = torch.randn(16 << 20)
    pinned, left = host.pin_memory(), torch.randn(4096, 4096, device="cuda")

    def beside(move: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        return left @ left, move()

    def check(results: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        torch.cuda.synchronize()
        for found in results.values():
            torch.testing.assert_close(found[1].cpu(), host, rtol=0, atol=0)

    return Comparison(
        variants={
            BLOCKING: lambda: beside(lambda: host.to("cuda")),
            UNPINNED: lambda: beside(lambda: host.to("cuda", non_blocking=True)),
            PINNED: lambda: beside(lambda: pinned.to("cuda", non_blocking=True)),
        },
        check=check,
    )


def counts() -> Mapping[str, float]:
    values = torch.randn(8)
    loader: DataLoader[Any] = DataLoader(TensorDataset(values))
    devices = torch.device("cpu"), torch.device("cuda")
    return {
        "copies that to('cpu', non_blocking=True) makes of a CPU tensor": int(
            values.to("cpu", non_blocking=True).data_ptr() != values.data_ptr()
        ),
        "warnings for a loader without pinned memory, CPU": int(bool(advice(loader, devices[0]))),
        "warnings for a loader without pinned memory, CUDA": int(bool(advice(loader, devices[1]))),
    }


def judge(seen: Evidence) -> Judgement:
    copies = seen.count("copies that to('cpu', non_blocking=True) makes of a CPU tensor")
    if not seen.has_cuda:
        measured, ruling = f"on a CPU the call makes {digits(copies)} copies: nothing to overlap", Ruling.NO_CUDA
    else:
        unpinned, pinned = (seen.ratio(SIZE, name) for name in (UNPINNED, PINNED))
        measured = f"not pinned {times(unpinned)}, pinned {times(pinned)}"
        gains = [seen.is_faster(SIZE, name) for name in (UNPINNED, PINNED)]
        ruling = Ruling.HOLDS if all(gains) else Ruling.HALF if any(gains) else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=measured,
        why="The documented condition is pinned memory, and the reviewed loader has none by default; the benchmark "
        "times both where there is a GPU.",
    )


CLAIM = Claim(
    item="table 1",
    title="non_blocking transfers",
    text="non_blocking=True is the right way to move batches to the device.",
    figure="best practice",
    judge=judge,
    sizes={SIZE: comparison} if torch.cuda.is_available() else {},
    counts=counts,
    needs_cuda=True,
)
