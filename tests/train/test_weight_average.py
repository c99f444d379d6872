import pytest
import torch
from torch import nn

from hotloop.train.weight_average import AveragedBatches, AveragingOptions, WeightAverage


class TwoBatches:
    def __len__(self):
        return 2

    def skip(self, epochs):
        self.skipped = epochs

    def __iter__(self):
        return iter(("first", "second"))


@pytest.fixture
def model():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model


def set_to(model, value):
    with torch.no_grad():
        model.weight.fill_(value)


def test_an_exponential_average_is_taken_after_each_step(model):
    average = WeightAverage(model, AveragingOptions(kind="ema", decay=0.75))
    for value, _ in enumerate(AveragedBatches(TwoBatches(), average), start=1):
        set_to(model, float(value))
    average.after_epoch(1)
    average.put_in()
    assert model.weight.item() == 0.75 * 1.0 + 0.25 * 2.0  # the first step begins the average


def test_a_plain_average_is_that_of_the_last_epochs(model):
    average = WeightAverage(model, AveragingOptions(kind="swa", first_epoch=2))
    for epoch in (1, 2, 3):
        set_to(model, 10.0**epoch)
        average.after_step()
        average.after_epoch(epoch)
    average.put_in()
    assert model.weight.item() == 550.0


def test_an_average_of_nothing_is_refused(model):
    average = WeightAverage(model, AveragingOptions(kind="swa", first_epoch=5))
    average.after_epoch(4)
    with pytest.raises(ValueError, match="begin earlier"):
        average.put_in()


def test_batches_are_as_many_and_are_skipped(model):
    batches = TwoBatches()
    averaged = AveragedBatches(batches, WeightAverage(model, AveragingOptions()))
    averaged.skip(3)
    assert (len(averaged), batches.skipped) == (2, 3)
