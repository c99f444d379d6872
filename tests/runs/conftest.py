import pytest
import yaml

OWN = """
import time

import torch


def slow(actions, context, *, transition_penalty=0.0):
    time.sleep(0.004)
    return (actions * context).sum(-1).mean(-1) - transition_penalty * actions.diff(dim=-2).abs().mean()


def broken(actions, context):
    raise RuntimeError("the market is closed")


def undefined(actions, context):
    return (actions * context).sum(-1) * torch.nan
"""


@pytest.fixture
def config(tmp_path):
    """Writes a config of a small run, and the functions it may name; changes are `section__key=value`."""
    (tmp_path / "own.py").write_text(OWN)

    def write(**changes):
        data = {
            "estimator": {
                "target": "ResPSANNRegressor",
                "params": {"hidden_layers": 2, "hidden_units": 8, "epochs": 4, "lr": 0.01},
            },
            "hisso": {
                "window": 16,
                "batch_episodes": 4,
                "updates_per_epoch": 3,
                "reward": "multiplicative_return",
                "context_extractor": "hotloop.workloads.portfolio:prices_of_log_returns",
                "transition_penalty": 0.001,
            },
            "data": {"loader": "hotloop.workloads.portfolio:load", "kwargs": {"seed": 3}},
        }
        for name, value in changes.items():
            section, _, key = name.partition("__")
            if key.startswith("params__"):
                data[section]["params"][key.removeprefix("params__")] = value
            else:
                data.setdefault(section, {})[key] = value
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(data))
        return path

    return write
