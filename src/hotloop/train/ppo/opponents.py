"""Who plays against the policy while it trains: itself, a random mover, and what it was before."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.models.policy.distribution import ActionDistribution, sample
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.options import OpponentOptions

# N environments, L places of a list of legal actions


class Opponents:
    """Plays one side in some of the environments of a game of two; in the others the policy plays both.

    The first environments are against a random mover, the next ones against an earlier self. The policy is first in
    those with an even number and second in the others. All draws are from torch's global generator.
    """

    def __init__(
        self,
        model: nn.Module,
        call: NetworkCall,
        distribution: ActionDistribution,
        options: OpponentOptions,
        *,
        num_envs: int,
    ) -> None:
        self._model, self._call, self._distribution, self._options = model, call, distribution, options
        self._num_random = round(options.random * num_envs)
        self._num_earlier = round(options.earlier * num_envs)
        self._earlier: list[nn.Module] = []
        self._playing: nn.Module | None = None
        self._is_first = torch.arange(num_envs) % 2 == 0
        self._is_both = torch.arange(num_envs) >= self._num_random + self._num_earlier

    def begin(self) -> None:
        """Called before each rollout: one earlier self is drawn for all of it."""
        if self._earlier:
            self._playing = self._earlier[int(torch.randint(len(self._earlier), ()))]

    def end(self, update: int) -> None:
        """Called after each update, 1-based: every so often the policy is kept as it is."""
        if self._num_earlier and update % self._options.every == 0:
            kept = copy.deepcopy(self._model).requires_grad_(False).eval()
            self._earlier = [*self._earlier, kept][-self._options.kept :]

    def is_own(self, plies_N: Tensor) -> Tensor:
        """In which environments the policy is to move, bool (N,), after so many plies of each game."""
        own = self._is_both | ((plies_N % 2 == 0) == self._is_first)
        if self._playing is None:  # nobody to play against yet
            own[self._num_random : self._num_random + self._num_earlier] = True
        return own

    @torch.no_grad()
    def replace(self, actions_N: Tensor, own_N: Tensor, observations: Tensor, legal_NL: Tensor | None) -> Tensor:
        """The actions, with those of opponents where they are to move. Raises WorkloadError without legal actions."""
        if legal_NL is None:
            raise WorkloadError("opponents need masks of legal actions, and the environment gives none")
        theirs = (~own_N).nonzero().flatten()
        is_random = theirs < self._num_random
        for rows, is_earlier in ((theirs[is_random], False), (theirs[~is_random], True)):
            if not len(rows):
                continue
            rows_E = rows.to(actions_N.device)
            legal_EL = legal_NL[rows_E]
            if is_earlier and self._playing is not None:
                outputs, _ = self._call(self._playing, observations[rows_E])
                chosen_E = sample(self._distribution, outputs, legal_EL)
            else:
                places = torch.rand(legal_EL.shape, device=legal_EL.device).masked_fill_(legal_EL < 0, -1.0)
                chosen_E = legal_EL.gather(1, places.argmax(dim=1, keepdim=True)).squeeze(1).long()
            actions_N = actions_N.index_copy(0, rows_E, chosen_E)
        return actions_N

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The earlier selves, for `restore_state`."""
        tensors = {
            f"{index}.{name}": value
            for index, kept in enumerate(self._earlier)
            for name, value in kept.state_dict().items()
        }
        return {"kept": len(self._earlier)}, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._earlier = [copy.deepcopy(self._model).requires_grad_(False).eval() for _ in range(data["kept"])]
        for index, kept in enumerate(self._earlier):
            own = f"{index}."
            kept.load_state_dict({name.removeprefix(own): v for name, v in tensors.items() if name.startswith(own)})
