"""Many growing networks at once as one environment: a step is an epoch of each, on the same batches."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hotloop.train.events.stream import EventStream
from hotloop.train.ppo.environment import DiscreteActions, Step
from hotloop.workloads.growth.actions import ActionSpace
from hotloop.workloads.growth.build_training import build_compiler, training_batches, validation_batches
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_options import GrowthOptions
from hotloop.workloads.growth.growth_training import GrowthTraining
from hotloop.workloads.growth.growth_view import GrowthView
from hotloop.workloads.growth.observation import observed_row, row_size
from hotloop.workloads.growth.reward import RewardKind, reward
from hotloop.workloads.growth.task import GrowthTask
from hotloop.workloads.growth.training_state import GrowthState

# N networks, T epochs of an episode, D features of a row

_SEEDS_APART = 1_000_003  # between episodes of one network


class VectorGrowth:
    """`num_envs` networks; an episode is `options.epochs` epochs of one, of which the first comes before any decision.

    Observations are the episode so far: float32 (N, T, D), rows that are still to come all zero. All networks share one
    compiler and the batches of each epoch, which are made once. Episode k of network n begins with weights drawn from
    `seed` + n + 1,000,003 k. Events of all networks go into `events`, marked by "environment" and "episode".
    """

    alternates = False

    def __init__(  # what makes an environment, all by keyword
        self,
        task: GrowthTask,
        options: GrowthOptions,
        *,
        num_envs: int,
        seed: int = 0,
        reward_kind: RewardKind = "shaped",
        gamma: float = 0.995,
        blueprints: tuple[str, ...] = (),
        device: torch.device | None = None,
        shares_batches: bool = True,
    ) -> None:
        self._task, self._options, self.num_envs, self._seed = task, options, num_envs, seed
        self._reward_kind: RewardKind = reward_kind
        self._gamma, self._device = gamma, device or torch.device("cpu")
        with torch.random.fork_rng(devices=[]):
            network = GrowingNetwork(task.build_host(), options.slots)
        self.space = ActionSpace(network.kind, network.slot_names, blueprints=blueprints)
        self.actions = DiscreteActions(num_actions=len(self.space), factors=self.space.factors)
        width = row_size(len(self.space.slots), len(self.space.blueprints))
        # The last epoch ends the episode and is decided upon by nobody.
        self.observation_shape: tuple[int, ...] = (max(options.epochs - 1, 1), width)
        self.events = EventStream()
        self.compiler = build_compiler(task, options)
        shared = [training_batches(task, options, seed=seed, device=self._device) for _ in range(num_envs)]
        self.batches = shared[:1] * num_envs if shares_batches else shared
        self._validation = validation_batches(task, device=self._device)
        self._now, self._final = torch.zeros((2, num_envs, *self.observation_shape))
        self._trainings: list[GrowthTraining] = []
        self._views: list[GrowthView] = []
        self._episodes = [0] * num_envs
        if self.compiler is not None:
            self.compiler.tell(self._tell_fall_back)

    def reset(self) -> tuple[Tensor, Tensor]:
        self._episodes = [0] * self.num_envs
        self._trainings = [self._begun(row) for row in range(self.num_envs)]
        self._views = [self._first_view(row) for row in range(self.num_envs)]
        return self._now, self._legal()

    def step(self, actions: Tensor) -> Step:
        rewards = torch.zeros(self.num_envs)
        ended = torch.zeros(self.num_envs, dtype=torch.bool)
        for row, number in enumerate(actions.tolist()):
            action, training, before = self.space.actions[number], self._trainings[row], self._views[row]
            training.apply(action)
            done = training.epoch()
            after = training.view()
            is_last = training.epochs_done >= self._options.epochs
            parts = reward(
                self._reward_kind,
                before,
                action.operation,
                after,
                gamma=self._gamma,
                is_last=is_last,
                grown=done.num_parameters - after.host_parameters,
            )
            rewards[row], ended[row], self._views[row] = parts.total, is_last, after
            if is_last:
                self._final[row] = self._now[row]
            else:
                self._observe(row, after)
        # Only now, so that all networks have taken their batches of this epoch before the first one is asked for again.
        for row in ended.nonzero().flatten().tolist():
            self._episodes[row] += 1
            self._trainings[row] = self._begun(row)
            self._views[row] = self._first_view(row)
        never = torch.zeros(self.num_envs, dtype=torch.bool)
        return self._now, self._legal(), rewards, ended, never, {"final_observations": self._final}

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        states = [training.state() for training in self._trainings]
        tensors = {f"{row}.{name}": value for row, state in enumerate(states) for name, value in state.tensors.items()}
        tensors["now"] = self._now.clone()
        data = {
            "episodes": list(self._episodes),
            "trainings": [state.data for state in states],
            "events": self.events.count,
        }
        return data, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        self._episodes = list(data["episodes"])
        self._trainings = [self._begun(row) for row in range(self.num_envs)]
        for row, (training, kept) in enumerate(zip(self._trainings, data["trainings"], strict=True)):
            own = f"{row}."
            parts = {name.removeprefix(own): value for name, value in tensors.items() if name.startswith(own)}
            training.restore_state(GrowthState(data=kept, tensors=parts))
        self._views = [training.view() for training in self._trainings]
        self._now.copy_(tensors["now"])
        self.events.count = data["events"]
        return self._now, self._legal()

    def _tell_fall_back(self, architecture: str, reason: str) -> None:
        self._trainings[0].tell_fall_back(architecture, reason)

    def _begun(self, row: int) -> GrowthTraining:
        return GrowthTraining(
            self._task,
            self._options,
            seed=self._seed + row + _SEEDS_APART * self._episodes[row],
            epochs=self.batches[row],
            validation=self._validation,
            compiler=self.compiler,
            events=self.events.marked(environment=row, episode=self._episodes[row]),
        )

    def _first_view(self, row: int) -> GrowthView:
        self._trainings[row].epoch()
        view = self._trainings[row].view()
        self._now[row].zero_()
        self._observe(row, view)
        return view

    def _observe(self, row: int, view: GrowthView) -> None:
        numbers = observed_row(view, self.space.blueprints, chance_loss=self._task.chance_loss)
        self._now[row, view.epoch - 1] = torch.tensor(numbers)

    def _legal(self) -> Tensor:
        return torch.stack([self.space.legal(view.stages) for view in self._views])
