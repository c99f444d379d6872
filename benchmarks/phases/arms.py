"""Ways to train a task, one update at a time, each counting what it costs: a forward pass 1, a backward pass 2."""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.phases.tasks import Task
from hotloop.train import PhaseConfig, PhaseTrainer
from hotloop.train.averaging import EMAWeights
from hotloop.train.selection import SelectiveSampler, selected_loss

_SHORT = PhaseConfig(full_steps=4, predict_steps=3, correct_every=None, adaptive_phases=False)


class Training:
    """One run: a network, Adam, a sampler of batches, and a learning rate that falls to 0 at `budget` passes."""

    def __init__(
        self, task: Task, *, lr: float, budget: float | None, seed: int, sampler: SelectiveSampler | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.task = task
        self.model = task.build()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        num = len(task.train[0])
        self.sampler = sampler or SelectiveSampler(num, batch_size=task.batch_size, keep=1.0, mode="stale", seed=seed)
        self.passes, self.seconds = 0.0, 0.0
        self._share = 1.0
        self._lr, self._budget = lr, budget
        self._batches = self._forever()

    def update(self) -> None:
        """One update, on the clock."""
        if self._budget is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self._lr * max(0.0, 1 - self.passes / self._budget)
        began = time.thread_time()
        self.step()
        self.seconds += time.thread_time() - began

    def step(self) -> None:
        """Plain training."""
        self.optimizer.zero_grad()
        self.loss().backward()
        self.passes += 2 * self._share
        self.optimizer.step()

    def loss(self) -> Tensor:
        """The loss of the next batch."""
        indices = torch.tensor(next(self._batches))
        inputs, targets = (part[indices] for part in self.task.train)

        def losses_of(rows: Tensor | slice) -> Tensor:
            losses = self.task.losses(self.model, inputs[rows], targets[rows])
            self._share = len(losses) / self.task.batch_size  # of the last forward: the one to differentiate
            self.passes += self._share
            return losses

        return selected_loss(self.sampler, indices, losses_of)

    def evaluated(self) -> nn.Module:
        """The network to judge."""
        return self.model

    def figures(self) -> dict[str, float]:
        """What it has cost and learned so far."""
        model = self.evaluated()
        return {
            "passes": self.passes,
            "seconds": self.seconds,
            "train_loss": self.task.train_loss(model),
            "test_score": self.task.test_score(model),
        }

    def _forever(self) -> Iterator[list[int]]:
        while True:
            yield from self.sampler


class Phased(Training):
    """Some updates with predicted gradients."""

    def __init__(self, task: Task, *, predictor: str, guard: bool, config: PhaseConfig = _SHORT, **settings) -> None:
        super().__init__(task, **settings)
        self.trainer = PhaseTrainer(self.optimizer, config, predictor=predictor, guard=guard)

    def step(self) -> None:
        with self.trainer.step() as step:
            if step.needs_backward:
                self.loss().backward()
                self.passes += 2 * self._share


class Selected(Training):
    """Selection by a sampler; a pass costs by the examples that it is over."""

    def __init__(self, task: Task, *, mode: str, **settings) -> None:
        num, seed = len(task.train[0]), settings.get("seed", 0)
        sampler = SelectiveSampler(num, batch_size=task.batch_size, mode=mode, seed=seed)
        super().__init__(task, sampler=sampler, **settings)


class RandomSubset(Selected):
    """Passes as long as those of stale-loss selection, over examples drawn without looking at their losses."""

    def _forever(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(1)
        num = len(self.task.train[0])
        while True:
            size = sum(len(part) for part in self.sampler)
            for part in torch.randperm(num, generator=generator)[:size].split(self.task.batch_size):
                yield part.tolist()


class Averaged(Training):
    """Plain training, judged by averaged weights; averaging is on the clock."""

    def __init__(self, task: Task, **settings) -> None:
        super().__init__(task, **settings)
        self.ema = EMAWeights(self.model, decay=0.98)

    def step(self) -> None:
        super().step()
        self.ema.update()

    def figures(self) -> dict[str, float]:
        with self.ema.applied():
            return super().figures()


def _phased(predictor: str, *, guard: bool) -> Callable[..., Training]:
    return lambda task, **settings: Phased(task, predictor=predictor, guard=guard, **settings)


ARMS: dict[str, Callable[..., Training]] = {
    "plain": Training,
    "plain again": Training,
    "least squares": _phased("least_squares", guard=False),
    "least squares, guarded": _phased("least_squares", guard=True),
    "momentum": _phased("momentum", guard=False),
    "hold": _phased("hold", guard=False),
    "hold, guarded": _phased("hold", guard=True),
    "coast": _phased("coast", guard=False),
    "stale losses": lambda task, **settings: Selected(task, mode="stale", **settings),
    "random subset": lambda task, **settings: RandomSubset(task, mode="stale", **settings),
    "threshold": lambda task, **settings: Selected(task, mode="threshold", **settings),
    "pool": lambda task, **settings: Selected(task, mode="pool", **settings),
    "averaged weights": Averaged,
}
