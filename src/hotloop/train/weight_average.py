"""Averages of the weights over a run: an exponential one of every step, or a plain one of the last epochs."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hotloop.train.epochs import EpochBatches


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class AveragingOptions:
    """`kind` "ema": decay * average + (1 - decay) * weights after each step. "swa": the mean of the weights at the end
    of each epoch from the 1-based `first_epoch` on (Izmailov et al. 2018)."""

    kind: Literal["ema", "swa"] = "ema"
    decay: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.999
    first_epoch: Annotated[int, Field(ge=1)] = 1


class WeightAverage:
    """The average of a model's weights; buffers are those of the model. Nothing is read from the device."""

    def __init__(self, model: nn.Module, options: AveragingOptions) -> None:
        self._model, self._options = model, options
        average = get_ema_multi_avg_fn(options.decay) if options.kind == "ema" else None
        self._averaged = AveragedModel(model, multi_avg_fn=average)

    def after_step(self) -> None:
        """Take in the weights after a step, for an exponential average."""
        if self._options.kind == "ema":
            self._averaged.update_parameters(self._model)

    def after_epoch(self, number: int) -> None:
        """Take in the weights after the epoch of that 1-based number, for a plain average."""
        if self._options.kind == "swa" and number >= self._options.first_epoch:
            self._averaged.update_parameters(self._model)

    def state(self) -> dict[str, Tensor]:
        """The averages and how many weights were taken in; tensors are not copied."""
        return self._averaged.state_dict()

    def restore_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._averaged.load_state_dict(tensors)

    @torch.no_grad()
    def put_in(self) -> None:
        """Give the model the average in place of its weights. Raises ValueError where nothing was taken in."""
        if not int(self._averaged.n_averaged):
            raise ValueError(
                f"no epoch reached first_epoch {self._options.first_epoch}, so there is no average: begin earlier"
            )
        averaged = dict(self._averaged.module.named_parameters())
        for name, parameter in self._model.named_parameters():
            parameter.copy_(averaged[name])


class AveragedBatches:
    """Batches for the training loop, after each of which the step is taken into `average`."""

    def __init__(self, batches: EpochBatches, average: WeightAverage) -> None:
        self._batches, self._average = batches, average

    def __len__(self) -> int:
        return len(self._batches)

    def skip(self, epochs: int) -> None:
        """Leave out the draws of so many epochs."""
        self._batches.skip(epochs)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            yield batch
            self._average.after_step()  # the loop asks for the next batch when the step is done
