"""Weights made of earlier weights: averages for evaluation, and extrapolation with accept or reject."""

from hotloop.train.averaging.ema_weights import EMAWeights
from hotloop.train.averaging.weight_extrapolator import WeightExtrapolator

__all__ = ["EMAWeights", "WeightExtrapolator"]
