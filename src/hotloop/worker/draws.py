"""Which random numbers the modules of a watched run draw, so that two runs can be compared step by step."""

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from torch import nn

Draws = Literal["shared", "own", "silent"]


def settle_draws(draws: Draws) -> None:
    """Before the program starts, for the rest of this process.

    Inductor draws from a stream of its own: "shared" makes it draw what eager draws, at the same places and in the
    same order; "own" leaves it as it is; "silent" takes dropout out altogether, for steps that are captured whole.
    """
    if draws == "shared":
        import torch._inductor.config as inductor

        inductor.fallback_random = True
    elif draws == "silent":
        for name in ("dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"):
            setattr(nn.functional, name, _pass)
        nn.functional.scaled_dot_product_attention = _keeping_all(nn.functional.scaled_dot_product_attention)


def modules_may_draw_apart() -> bool:
    """Whether a root that is called here may draw from a stream of its own.

    Not in a backward pass or under saved-tensor hooks, where activations are computed a second time and must draw the
    same numbers again; not inside a functorch transform; and not without gradients, where nothing is trained.
    """
    parts = cast(Any, torch)._C
    return bool(
        torch.is_grad_enabled()
        and parts._current_graph_task_id() == -1
        and parts._functorch.peek_interpreter_stack() is None
        and parts._autograd._top_saved_tensors_default_hooks(False) is None
    )


def silence(root: nn.Module) -> None:
    """Recurrent modules drop out in one operator with their layers: set the rate that they hand to it."""
    for module in root.modules():
        if isinstance(module, nn.RNNBase):
            module.dropout = 0.0


def _pass(value: Any, *_: Any, **__: Any) -> Any:
    return value


def _keeping_all(attention: Callable[..., Any]) -> Callable[..., Any]:
    def without_dropout(
        query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, *rest: Any, **options: Any
    ) -> Any:
        return attention(query, key, value, attn_mask, 0.0, *rest, **options)

    return without_dropout
