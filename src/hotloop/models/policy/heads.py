"""What a network with several heads gives of each position."""

from typing import NamedTuple

from torch import Tensor


class Heads(NamedTuple):
    """Logits of actions (B, A), logits of win, draw and loss of who is to move (B, 3), and scores (B,)."""

    policy: Tensor
    outcome: Tensor
    score: Tensor
