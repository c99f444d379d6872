import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from hotloop import models
from hotloop.errors import ModelError, RegistryError
from hotloop.models.actor_critics.simple_cnn import SimpleCnn
from hotloop.models.policy.actor_critic import ActorCritic


@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 2


class Linear(ActorCritic):
    name: ClassVar[str] = "test_linear"
    Config: ClassVar = Config

    def __init__(self, config):
        super().__init__()
        self.layer = torch.nn.Linear(config.size, 4)

    def forward(self, x):
        y = self.layer(x)
        return y[:, :3], y[:, 3]


@pytest.fixture
def registered():
    yield models.register(Linear)
    models.unregister("test_linear")


def test_built_ins_are_known_without_importing_torch():
    code = "import sys; from hotloop import models; print(*models.names()); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["mlp", "recurrent", "resnet", "se_resnet", "simple_cnn"]


def test_a_decorated_class_is_listed_created_and_forgotten(registered):
    assert "test_linear" in models.names()
    assert type(models.create("test_linear", size=5)) is Linear
    models.unregister("test_linear")
    assert "test_linear" not in models.names()
    models.register(Linear)


def test_registering_the_same_class_again_changes_nothing(registered):
    assert models.register(Linear) is Linear


@pytest.mark.parametrize("taken", ["test_linear", "resnet"])
def test_a_taken_name_is_refused_with_those_taken(registered, taken):
    other = type("Other", (Linear,), {"name": taken})
    with pytest.raises(ModelError, match=f"'{taken}', which is taken; taken are mlp, recurrent, resnet, .*test_linear"):
        models.register(other)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(RegistryError, match="no model is named 'resent'; known are: mlp, recurrent, resnet"):
        models.create("resent")
    with pytest.raises(RegistryError, match="no model was registered as 'resnet'"):
        models.unregister("resnet")


def test_a_class_is_created_by_its_import_path():
    made = models.create(
        "hotloop.models.actor_critics.simple_cnn:SimpleCnn", input_channels=2, num_actions=3, channels=1
    )
    assert type(made) is SimpleCnn


@pytest.mark.parametrize("path", ["hotloop.models.nowhere:A", "hotloop.models.actor_critics.mlp:Absent"])
def test_a_path_that_leads_nowhere_is_refused(path):
    with pytest.raises(RegistryError, match=r"give package\.module:Class"):
        models.create(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, "has no name"),
        ({"evaluate_actions": None}, "has no method evaluate_actions; needed are forward"),
        ({"evaluate_actions": lambda self, obs, mask: None}, r"takes \(obs, mask\); the protocol has \(obs, actions"),
        ({"Config": dict}, "a dataclass is needed"),
    ],
)
def test_what_breaks_the_protocol_is_refused_at_registration(changes, message):
    with pytest.raises(ModelError, match=message):
        models.register(type("Broken", (Linear,), {"name": "test_broken", **changes}))
    assert "test_broken" not in models.names()


def test_a_function_is_no_model():
    with pytest.raises(ModelError, match="a class of actor-critics is needed"):
        models.register(lambda: None)
