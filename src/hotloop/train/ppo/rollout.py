"""Rollouts: the policy acts in all environments at once, and the buffer keeps what happened."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.train.ppo.acting import Acting
from hotloop.train.ppo.buffer import RolloutBuffer
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.episode_log import EpisodeLog
from hotloop.train.ppo.opponents import Opponents
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
        acting: Acting,
        device: torch.device,
        opponents: Opponents | None = None,
        learns_outcomes: bool = False,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._model, self._environment = model, environment
        self._acting, self._device, self._opponents = acting, device, opponents
        self._mark = (stopwatch or NoStopwatch()).mark
        self.log = EpisodeLog(environment.num_envs, alternates=environment.alternates)
        observations, legal = environment.reset()
        self._now = (observations.clone(), None if legal is None else legal.clone())
        self.buffer = RolloutBuffer(num_steps, environment, device=device, masks=legal is not None)
        self.buffer.has_opponents, self.buffer.learns_outcomes = opponents is not None, learns_outcomes

    @torch.no_grad()
    def collect(self) -> Tensor:
        """Fill the buffer anew; the values (N,) of the observations after its last step."""
        self.buffer.clear()
        self._model.eval()
        if self._opponents is not None:
            self._opponents.begin()
        truncated: list[tuple[Tensor, Tensor]] = []  # places in the flat buffer, final observations
        for _ in range(self.buffer.capacity):
            self._step(truncated)
        if truncated:
            places_E, final_E = (torch.cat(parts).to(self._device) for parts in zip(*truncated, strict=True))
            self.buffer.final_values.view(-1)[places_E] = self._acting.values(final_E)
        return self._acting.values(self._now[0].to(self._device))

    def after_update(self, update: int) -> None:
        """Called after each update, 1-based, when the policy has changed."""
        if self._opponents is not None:
            self._opponents.end(update)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The environment and the episodes under way, in JSON types and tensors; for `restore_state`."""
        (environment, environment_tensors), (log, log_tensors) = self._environment.state(), self.log.state()
        tensors = {f"environment.{name}": value for name, value in environment_tensors.items()}
        tensors |= {f"log.{name}": value for name, value in log_tensors.items()}
        width = None if self.buffer.legal is None else self.buffer.legal.width
        data = {"environment": environment, "log": log, "width": width}
        if self._opponents is not None:
            data["opponents"], kept = self._opponents.state()
            tensors |= {f"opponents.{name}": value for name, value in kept.items()}
        return data, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        parts: dict[str, dict[str, Tensor]] = {"environment": {}, "log": {}, "opponents": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        observations, legal = self._environment.restore_state(data["environment"], parts["environment"])
        self._now = (observations.clone(), None if legal is None else legal.clone())
        self.log.restore_state(data["log"], parts["log"])
        if self.buffer.legal is not None:
            self.buffer.legal.widen(data["width"])
        if self._opponents is not None:
            self._opponents.restore_state(data["opponents"], parts["opponents"])

    def _step(self, truncated: list[tuple[Tensor, Tensor]]) -> None:
        observations, legal = self._now
        seen, allowed = self._begin(observations, legal)
        act = self._acting(seen, allowed)
        if self._opponents is not None:
            own_N = self._opponents.is_own(self.log.plies_N)
            act = act._replace(actions=self._opponents.replace(act.actions, own_N, seen, allowed))
            self.buffer.own[self.buffer.size].copy_(own_N)
        self.buffer.add(*act)
        chosen = act.actions.cpu()
        self._mark("acting")
        after, after_legal, rewards_N, terminated_N, truncated_N, infos = self._environment.step(chosen)
        self._mark("environment")
        # An episode that terminated has no value after it, whether or not it was also cut off.
        cut_N = truncated_N & ~terminated_N
        if bool(cut_N.any()):
            rows_E = cut_N.nonzero().flatten()
            truncated.append((rows_E + self.buffer.size * len(cut_N), infos["final_observations"][rows_E].clone()))
        results_N = infos.get("outcomes", rewards_N)
        self.buffer.end(rewards_N, terminated_N, cut_N, results=results_N, scores=infos.get("scores"))
        self.log.add(results_N, terminated_N | truncated_N)
        self._now = (after, after_legal)

    def _begin(self, observations: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor | None]:
        try:
            return self.buffer.begin(observations, legal)
        except ValueError as error:
            raise WorkloadError(f"step {self.buffer.size} of the rollout: {error}") from error
