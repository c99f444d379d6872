"""Legal actions: as a mask, bool (B, A), or as a list, int (B, L), padded with -1."""

# B positions, A actions, L places of a list

from typing import TypeGuard

import torch
from torch import Tensor


def fill_illegal(logits_BA: Tensor, legal_BA: Tensor | None) -> Tensor:
    """The logits in float32, with those of illegal actions at the least finite number.

    Not at minus infinity: zero times that is NaN, in the entropy and in gradients.
    """
    logits_BA = logits_BA.float()
    return logits_BA if legal_BA is None else logits_BA.masked_fill(~legal_BA, torch.finfo(torch.float32).min)


def legal_logits(logits_BA: Tensor, legal: Tensor | None) -> Tensor:
    """The logits in float32, of all actions (B, A) as `fill_illegal`, or of those in a list (B, L) in its order.

    Where few of many actions are legal, what follows costs as much as the list is long and not as all actions are.
    """
    if not is_list(legal):
        return fill_illegal(logits_BA, legal)
    listed_BL = logits_BA.gather(1, legal.clamp(min=0).long()).float()
    return listed_BL.masked_fill(legal < 0, torch.finfo(torch.float32).min)


def is_list(legal: Tensor | None) -> TypeGuard[Tensor]:
    """Whether legal actions are given as a list, and not as a mask."""
    return legal is not None and legal.dtype is not torch.bool


def is_legal(legal: Tensor) -> Tensor:
    """Bool: the mask itself, or which places of a list are filled."""
    return legal >= 0 if is_list(legal) else legal


def checked_mask(legal_mask: Tensor | None, *, batch: int, num_actions: int) -> Tensor | None:
    """The mask as (B, A); a mask (A,) is taken for a batch of one. Reads the device once.

    Raises ValueError for another dtype or shape, and for rows without a legal action, which it names.
    """
    if legal_mask is None:
        return None
    legal_BA = legal_mask[None] if legal_mask.ndim == 1 else legal_mask
    if legal_BA.dtype is not torch.bool or legal_BA.shape != (batch, num_actions):
        raise ValueError(
            f"got a mask of {legal_mask.dtype} {tuple(legal_mask.shape)}; allowed is torch.bool ({batch}, "
            f"{num_actions}), True where legal: give one row a position"
        )
    check_rows(legal_BA)
    return legal_BA


def check_rows(legal_BA: Tensor) -> None:
    """Raises ValueError that names the rows of a mask in which no action is legal. Reads the device."""
    has_any_B = legal_BA.any(dim=1)
    if not bool(has_any_B.all()):
        raise ValueError(no_legal_action((~has_any_B).nonzero().flatten().tolist(), of=len(legal_BA)))


def no_legal_action(rows: list[int], *, of: int) -> str:
    """What is wrong with these rows, in words."""
    shown = ", ".join(map(str, rows[:10])) + (", ..." if len(rows) > 10 else "")
    return (
        f"no action is legal in row {shown} of {of}; each position needs one: end the game before it is shown to the "
        "model"
    )
