"""Attention over the window: torch's fused operator against the formula written out, forward and backward.

Lengths 20, 60 and 512 with 4 heads of 16 channels. The attention over the day's graph is no such attention: it is a
softmax over the edges of each stock, and `benchmarks.claims.run panel_07_compile_head` times its heads.

python -m benchmarks.panel.bench_attention --out benchmarks/results/<machine>/panel/attention.json
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.panel.turns import finish, options, take_turns

NUM, HEADS, CHANNELS = 64, 4, 16


def written_out(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(q k / sqrt(C)) v, which keeps all L x L weights."""
    return (queries @ keys.transpose(-2, -1) / CHANNELS**0.5).softmax(-1) @ values


def main() -> None:
    asked = options(__doc__, rounds=15).parse_args()
    found = {}
    for length in (20, 60, 512):
        torch.manual_seed(0)
        inputs = [torch.randn(NUM, HEADS, length, CHANNELS, requires_grad=True) for _ in range(3)]
        fused = functional.scaled_dot_product_attention(*inputs)
        torch.testing.assert_close(fused, written_out(*inputs), atol=1e-5, rtol=1e-4)

        def both_ways(attention: Callable[..., Tensor], inputs: list[Tensor] = inputs) -> None:
            torch.autograd.grad(attention(*inputs).sum(), inputs)

        variants = {
            "written out": lambda run=both_ways: run(written_out),
            "fused": lambda run=both_ways: run(functional.scaled_dot_product_attention),
        }
        calls = dict.fromkeys(variants, max(1, 2000 // length))
        found[f"L={length}"] = take_turns(variants, rounds=asked.rounds, calls=calls)
    finish(found, asked.out)


if __name__ == "__main__":
    main()
