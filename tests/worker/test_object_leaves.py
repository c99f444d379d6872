from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from hotloop.worker.object_leaves import leaves_of, plain_leaves_of, start_sketch


@dataclass
class Settings:
    """As programs keep theirs."""

    lr: float = 0.1
    sizes: list[int] = field(default_factory=lambda: [1, 2])


class Slotted:
    """Nobody can look into it."""

    __slots__ = ("value",)


def told(value):
    return {path: (leaf.kind, leaf.number, leaf.text) for path, leaf in leaves_of(value, {}).items()}


def test_containers_objects_and_arrays_are_walked_to_their_numbers():
    found = told({"a": OrderedDict(b=(1, "x")), "s": Settings(), "n": np.float64(2.0), 3: {True}})
    assert found["['a']['b'][0]"] == ("int", None, "1")
    assert found["['a']['b'][1]"] == ("str", None, "'x'")
    assert found["['s']['lr']"] == ("float", 0.1, "")
    assert found["['s']['sizes']"] == ("2 integers", None, "[1, 2]")
    assert found["['n']"] == ("float", 2.0, "")
    assert found["[3]"] == ("set", None, "['True']")


def test_a_module_an_optimizer_and_a_schedule_are_their_states():
    net = nn.Linear(2, 3)
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    found = told([net, optimizer, schedule])
    assert found["[0]['(class)']"][2].endswith("Linear")
    assert found["[0]['weight']"][0] == "float32 (3, 2)"
    assert found["[1]['param_groups'][0]['lr']"] == ("float", 0.001, "")
    assert found["[2]['last_epoch']"] == ("int", None, "0")


def test_a_tensor_is_told_from_where_training_began_also_under_a_longer_name():
    before, after = torch.randn(40, 3), torch.randn(40, 3)
    starts = {("0.weight", (40, 3)): start_sketch(before)}
    leaf = leaves_of({"module.0.weight": after}, starts)["['module.0.weight']"]
    assert leaf.group == "weight since the start"
    assert leaf.sketch == pytest.approx(start_sketch(after - before), abs=1e-5)
    assert leaves_of({"other": after}, starts)["['other']"].sketch == pytest.approx(start_sketch(after))


def test_integers_are_equal_or_not_and_the_state_of_a_generator_is_left_to_others():
    one, other = ({"n": torch.tensor([1, value])} for value in (2, 3))
    assert told(one) != told(other)
    assert told(torch.get_rng_state())["it"] == ("state of a random generator", None, "")


@pytest.mark.parametrize("value", [Slotted(), np.array([object()])])
def test_what_cannot_be_looked_into_says_so(value):
    (leaf,) = (leaf for leaf in leaves_of({"x": value}, {}).values() if not leaf.can_be_compared)
    assert leaf.kind.startswith("cannot be compared: ")


def test_what_contains_itself_ends():
    ring = {"a": 1.0}
    ring["again"] = ring
    assert told(ring)["['again']"][0] == "a part that contains itself"


def test_a_passive_look_calls_nothing():
    found = plain_leaves_of({"net": nn.Linear(2, 2), "loss": 0.5, "at": "noon"})
    assert set(found) == {"['loss']", "['at']"}
