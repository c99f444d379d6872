"""Actions that are made of several choices, one head of logits each, later ones depending on earlier ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hotloop.models.policy.masks import fill_illegal, is_list

# B positions, A actions, L logits of all heads, G groups of actions that share their first choices


class FactoredCategorical(nn.Module):
    """One of A actions, given as its choices head by head: `factors[a]`, cut off after the last choice it has.

    The outputs are the logits (B, L) of all heads, one after another; the actions int64 (B,), masks bool (B, A). The
    probability of an action is the product of those of its choices, each over what is legal after the choices before
    it. A head that an action does not reach has no part in its probability, and gets no gradient from it.
    Raises ValueError for actions that are not different, or of which one goes on where another ends.
    """

    def __init__(self, factors: Sequence[Sequence[int]]) -> None:
        super().__init__()
        given = [tuple(map(int, choices)) for choices in factors]
        _check(given)
        depth = max(map(len, given))
        sizes = [1 + max((c[level] for c in given if len(c) > level), default=0) for level in range(depth)]
        starts = [sum(sizes[:level]) for level in range(depth)]
        self.num_outputs = sum(sizes)
        self.num_actions = len(given)
        self._depth = depth
        for level in range(depth):
            groups = list(dict.fromkeys(choices[: level + 1] for choices in given))
            parents = list(dict.fromkeys(choices[:level] for choices in given))
            members = torch.zeros(len(given), len(groups))
            for action, choices in enumerate(given):
                members[action, groups.index(choices[: level + 1])] = 1.0
            ends = [len(group) <= level for group in groups]
            logits = [0 if end else starts[level] + group[level] for group, end in zip(groups, ends, strict=True)]
            self.register_buffer(f"members_{level}", members, persistent=False)
            self.register_buffer(f"ends_{level}", torch.tensor(ends), persistent=False)
            self.register_buffer(f"logits_{level}", torch.tensor(logits), persistent=False)
            place = torch.tensor([parents.index(group[:level]) for group in groups])
            self.register_buffer(f"parents_{level}", place, persistent=False)
            of_action = torch.tensor([groups.index(choices[: level + 1]) for choices in given])
            self.register_buffer(f"of_action_{level}", of_action, persistent=False)

    def joint(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        """Log-probabilities of all actions, float32 (B, A); those of illegal ones are the least finite number."""
        outputs = outputs.float()
        legal_BA = self._mask(outputs, legal)
        legal_as_float = legal_BA.float()
        total_BA = outputs.new_zeros(len(outputs), self.num_actions)
        for level in range(self._depth):
            part = {name: getattr(self, f"{name}_{level}") for name in _PARTS}
            is_legal_BG = legal_as_float @ part["members"] > 0.0
            logits_BG = outputs[:, part["logits"]].masked_fill(part["ends"], 0.0)
            logits_BG = fill_illegal(logits_BG, is_legal_BG)
            log_probs_BG = logits_BG - _logsumexp_of_siblings(logits_BG, is_legal_BG, part["parents"])
            total_BA = total_BA + log_probs_BG.masked_fill(part["ends"] | ~is_legal_BG, 0.0)[:, part["of_action"]]
        return fill_illegal(total_BA, legal_BA)

    def noise(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        return torch.empty(len(outputs), self.num_actions, device=outputs.device).exponential_()

    def draw(self, outputs: Tensor, legal: Tensor | None, noise: Tensor) -> Tensor:
        return (self.joint(outputs, legal) - noise.log()).argmax(dim=1)

    def mode(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        return self.joint(outputs, legal).argmax(dim=1)

    def log_probs(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> Tensor:
        return self.joint(outputs, legal).gather(1, actions[:, None]).squeeze(1)

    def evaluate(self, outputs: Tensor, actions: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor]:
        joint_BA = self.joint(outputs, legal)
        chosen_B = joint_BA.gather(1, actions[:, None]).squeeze(1)
        entropy_terms_BA = (joint_BA.exp() * joint_BA).where(self._mask(outputs, legal), 0.0)
        return chosen_B, -entropy_terms_BA.sum(dim=1)

    def _mask(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        """Legal actions as a mask (B, A): heads need it, whichever way they are given."""
        if legal is None:
            return torch.ones(len(outputs), self.num_actions, dtype=torch.bool, device=outputs.device)
        if not is_list(legal):
            return legal
        places_BL = legal.long().where(legal >= 0, self.num_actions)  # what pads a list goes into a column of its own
        empty = torch.zeros(len(legal), self.num_actions + 1, dtype=torch.bool, device=legal.device)
        return empty.scatter(1, places_BL, True)[:, : self.num_actions]

    def mask_width(self, outputs: Tensor) -> int:
        return self.num_actions


_PARTS = ("members", "ends", "logits", "parents", "of_action")


def _logsumexp_of_siblings(logits_BG: Tensor, is_legal_BG: Tensor, parents_G: Tensor) -> Tensor:
    """For each group, over the groups that share its earlier choices; 0 where none of them is legal."""
    num_parents = int(parents_G.shape[0])  # an upper bound that needs no read
    index_BG = parents_G.expand_as(logits_BG)
    empty = logits_BG.new_full((len(logits_BG), num_parents), torch.finfo(torch.float32).min)
    largest = empty.scatter_reduce(1, index_BG, logits_BG.detach(), "amax").gather(1, index_BG)
    shifted = torch.where(is_legal_BG, (logits_BG - largest).exp(), 0.0)
    sums = logits_BG.new_zeros(len(logits_BG), num_parents).scatter_add(1, index_BG, shifted).gather(1, index_BG)
    return torch.where(sums > 0.0, sums, 1.0).log() + torch.where(sums > 0.0, largest, 0.0)


def _check(given: list[tuple[int, ...]]) -> None:
    chosen = set(given)
    if len(chosen) < len(given) or not given:
        raise ValueError("two actions have the same choices, or there is none; each needs choices of its own")
    for choices in given:
        if not choices or any(choices[:size] in chosen for size in range(1, len(choices))):
            raise ValueError(
                f"the choices {choices} go on where those of another action end; give every action its own"
            )
