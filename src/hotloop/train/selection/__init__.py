"""Training on the examples that still have something to teach, once most do not."""

from hotloop.train.selection.selected_loss import selected_loss
from hotloop.train.selection.selective_sampler import SelectiveSampler

__all__ = ["SelectiveSampler", "selected_loss"]
