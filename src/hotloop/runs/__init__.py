"""What `hotloop train` does: estimators, actor-critics, panel and growing networks, each from a config file."""

from hotloop.runs.config import RunConfig, read_config
from hotloop.runs.request import RunRequest
from hotloop.runs.train import train_from_config

__all__ = ["RunConfig", "RunRequest", "read_config", "train_from_config"]
