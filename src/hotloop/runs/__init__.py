"""Training an estimator, an actor-critic or a panel network from a config file: what `hotloop train` does."""

from hotloop.runs.config import RunConfig, read_config
from hotloop.runs.request import RunRequest
from hotloop.runs.train import train_from_config

__all__ = ["RunConfig", "RunRequest", "read_config", "train_from_config"]
