"""Episodic reward training (HISSO): random windows of a series, one differentiable reward, gradient ascent."""

from hotloop.train.episodes.options import EpisodicOptions
from hotloop.train.episodic.profile import EpisodicProfile
from hotloop.train.episodic.run import EpisodicEpoch, EpisodicRun, train_episodic
from hotloop.train.episodic.supervised import SupervisedOptions, train_supervised

__all__ = [
    "EpisodicEpoch",
    "EpisodicOptions",
    "EpisodicProfile",
    "EpisodicRun",
    "SupervisedOptions",
    "train_episodic",
    "train_supervised",
]
