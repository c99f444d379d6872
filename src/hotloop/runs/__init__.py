"""Training an estimator from a config file into a run folder: what `hotloop train` does."""

from hotloop.runs.config import Config, read_config
from hotloop.runs.run import Order, fit_config

__all__ = ["Config", "Order", "fit_config", "read_config"]
