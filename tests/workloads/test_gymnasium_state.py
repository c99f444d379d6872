import json

import gymnasium
import pytest

from hotloop.errors import WorkloadError
from hotloop.workloads.gymnasium_state import read_state, write_state


def test_plain_values_are_json_and_come_back():
    first, other = (gymnasium.make("CartPole-v1") for _ in range(2))
    first.reset(seed=1)
    other.reset(seed=2)
    first.step(1)
    plain, arrays = read_state(first)
    write_state(other, json.loads(json.dumps(plain)), arrays)
    assert [part.tolist() if hasattr(part, "tolist") else part for part in first.step(0)[:3]] == [
        part.tolist() if hasattr(part, "tolist") else part for part in other.step(0)[:3]
    ]


def test_environments_that_keep_more_are_refused():
    class Other(gymnasium.Env):
        pass

    with pytest.raises(WorkloadError, match="Other cannot be kept in a checkpoint; those of gymnasium"):
        read_state(Other())
