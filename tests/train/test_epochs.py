import pytest
import torch
from torch import nn

from hotloop.train.epochs import train_epochs
from hotloop.train.flat.compiled import Compilation
from hotloop.train.options import UpdateOptions
from hotloop.train.stopwatch import NoStopwatch
from hotloop.train.strategies.supervised import Supervised


class Batches(list):
    def skip(self, epochs):
        pass


class Model(nn.Linear):
    """Notes what happens to it, in order."""

    def __init__(self):
        super().__init__(3, 2)
        self.events = []

    def train(self, mode=True):
        self.events.append("train" if mode else "eval")
        return super().train(mode)

    def on_epoch(self, epoch):
        self.events.append(f"ended {epoch}")


def run(model, *, epochs=2, compilation=None, **callbacks):
    strategy = Supervised(criterion=nn.functional.mse_loss)
    batches = Batches([(torch.ones(4, 3), torch.zeros(4, 2))] * 3)
    options = UpdateOptions(epochs=epochs, lr=0.01, lr_end=0.001)
    return train_epochs(
        model,
        strategy,
        batches,
        options,
        stopwatch=NoStopwatch(),
        compilation=compilation,
        **callbacks,
    )


def test_what_is_due_around_an_epoch_comes_in_this_order():
    model = Model()
    run(
        model,
        before_epoch=lambda epoch: model.events.append(f"before {epoch}"),
        after_epoch=lambda epoch: model.events.append(f"after {epoch.number}"),
        validate=lambda: float(model.events.append("validate") or 1.0),
    )
    one = ["train", "before 0", "validate", "train", "ended 0", "after 1"]
    two = ["train", "before 1", "validate", "train", "ended 1", "after 2"]
    assert model.events == [*one, *two, "eval"]


def test_the_rate_goes_linearly_from_the_first_epoch_to_the_last():
    options = UpdateOptions(epochs=3, lr=0.3, lr_end=0.1)
    assert [options.lr_in(epoch) for epoch in range(3)] == pytest.approx([0.3, 0.2, 0.1])
    assert UpdateOptions(epochs=1, lr=0.3, lr_end=0.1).lr_in(0) == 0.3


def test_a_recorded_run_has_no_captured_step():
    class Recorder:
        def begin(self):
            return None

        def keep(self, state):
            pass

    with pytest.raises(ValueError, match="give 'model'"):
        run(Model(), compilation=Compilation(what="step", backend="aten"), recorder=Recorder())
    assert len(run(Model(), recorder=Recorder()).history) == 2
