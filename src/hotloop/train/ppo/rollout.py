"""Rollouts: the policy acts in all environments at once, and the buffer keeps what happened."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.models.policy.distribution import ActionDistribution
from hotloop.models.policy.masks import check_rows
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.buffer import RolloutBuffer
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.episode_log import EpisodeLog
from hotloop.train.stopwatch import NoStopwatch, Stopwatch

# N environments, E ended episodes


class Rollout:
    """Fills a buffer from one environment, going on where the last rollout stopped.

    The model is called in eval mode and without gradients; the device is read once a step, for the actions.
    """

    def __init__(
        self,
        model: nn.Module,
        environment: VectorEnvironment,
        *,
        num_steps: int,
        distribution: ActionDistribution,
        call: NetworkCall,
        device: torch.device,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._model, self._environment = model, environment
        self._distribution, self._call, self._device = distribution, call, device
        self._mark = (stopwatch or NoStopwatch()).mark
        self.log = EpisodeLog(environment.num_envs, alternates=environment.alternates)
        observations, legal = environment.reset()
        self._now = (observations.clone(), None if legal is None else legal.clone())
        self.buffer = RolloutBuffer(num_steps, environment, device=device, masks=legal is not None)

    @torch.no_grad()
    def collect(self) -> Tensor:
        """Fill the buffer anew; the values (N,) of the observations after its last step."""
        self.buffer.clear()
        self._model.eval()
        truncated: list[tuple[Tensor, Tensor]] = []  # places in the flat buffer, final observations
        for _ in range(self.buffer.capacity):
            self._step(truncated)
        if truncated:
            places_E, final_E = (torch.cat(parts).to(self._device) for parts in zip(*truncated, strict=True))
            self.buffer.final_values.view(-1)[places_E] = self._call(self._model, final_E)[1]
        return self._call(self._model, self._now[0].to(self._device))[1]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The environment and the episodes under way, in JSON types and tensors; for `restore_state`."""
        (environment, environment_tensors), (log, log_tensors) = self._environment.state(), self.log.state()
        tensors = {f"environment.{name}": value for name, value in environment_tensors.items()}
        tensors |= {f"log.{name}": value for name, value in log_tensors.items()}
        return {"environment": environment, "log": log}, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        parts: dict[str, dict[str, Tensor]] = {"environment": {}, "log": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        observations, legal = self._environment.restore_state(data["environment"], parts["environment"])
        self._now = (observations.clone(), None if legal is None else legal.clone())
        self.log.restore_state(data["log"], parts["log"])

    def _step(self, truncated: list[tuple[Tensor, Tensor]]) -> None:
        observations, legal = self._now
        if legal is not None:
            self._check(legal)
        seen, allowed = self.buffer.begin(observations, legal)
        outputs, values_N = self._call(self._model, seen)
        actions = self._distribution.sample(outputs, allowed)
        self.buffer.add(actions, self._distribution.log_probs(outputs, actions, allowed), values_N)
        chosen = actions.cpu()
        self._mark("acting")
        after, after_legal, rewards_N, terminated_N, truncated_N, infos = self._environment.step(chosen)
        self._mark("environment")
        # An episode that terminated has no value after it, whether or not it was also cut off.
        cut_N = truncated_N & ~terminated_N
        if bool(cut_N.any()):
            rows_E = cut_N.nonzero().flatten()
            truncated.append((rows_E + self.buffer.size * len(cut_N), infos["final_observations"][rows_E].clone()))
        self.buffer.end(rewards_N, terminated_N, cut_N)
        self.log.add(rewards_N, terminated_N | truncated_N)
        self._now = (after, after_legal)

    def _check(self, legal: Tensor) -> None:
        try:
            check_rows(legal)
        except ValueError as error:
            raise WorkloadError(f"step {self.buffer.size} of the rollout: {error}") from error
