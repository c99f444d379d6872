"""torch's process-wide settings, put back after a plan has changed them."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import nn


@contextmanager
def preserved_settings() -> Generator[None]:
    """Puts torch's process-wide settings back that a plan may change, and the random state."""
    kept = [(write, read()) for read, write in _settings()]
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        for write, value in kept:
            write(value)


def _settings() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """How each setting is read and written."""
    cpu, cuda, cudnn = (cast(Any, part) for part in (torch.backends.mkldnn, torch.backends.cuda, torch.backends.cudnn))
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    for backend in (cpu.matmul, cpu.conv, cpu.rnn, cuda.matmul, cudnn.conv, cudnn.rnn):
        yield partial(getattr, backend, "fp32_precision"), partial(setattr, backend, "fp32_precision")
    yield partial(getattr, cudnn, "benchmark"), partial(setattr, cudnn, "benchmark")
    for kernel in ("flash", "mem_efficient", "cudnn", "math"):
        yield getattr(cuda, f"{kernel}_sdp_enabled"), getattr(cuda, f"enable_{kernel}_sdp")
    yield cuda.fp16_bf16_reduction_math_sdp_allowed, cuda.allow_fp16_bf16_reduction_math_sdp
    attention = "scaled_dot_product_attention"
    yield partial(getattr, nn.functional, attention), partial(setattr, nn.functional, attention)
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.get_default_dtype, torch.set_default_dtype
