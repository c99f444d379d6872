"""Which modules are roots, whenever they are made."""

import copy
import pickle
import sys

import pytest
import torch
from torch import nn

from hotloop.workloads.roots import roots_met

X = torch.ones(1, 2)


@pytest.fixture
def roots():
    """Those that were met, in order."""
    found = []
    with roots_met(found.append):
        yield found


def test_only_outermost_modules_with_parameters_are_roots(roots):
    whole = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    for _ in range(2):
        whole(X)
        nn.ReLU()(X)
        whole[0](X)
    assert roots == [whole]


def test_a_root_is_met_however_late_it_is_made(roots):
    models = [nn.Linear(2, 2) for _ in range(5)]
    for model in models:
        for _ in range(50):
            model(X)
    assert roots == models


def test_a_model_that_was_made_before_is_met():
    found, model = [], nn.Linear(2, 2)
    with roots_met(found.append):
        model(X)
    assert found == [model]


def test_copies_are_roots_of_their_own(roots):
    model = nn.Linear(2, 2)
    model(X)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)]
    for other in others:
        other(X)
    assert roots == [model, *others]


def test_a_module_without_parameters_only_passes_the_call_on(roots):
    class Passing(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.models = [model]

        def forward(self, x):
            return self.models[0](x)

    model = nn.Linear(2, 2)
    Passing(model)(X)
    assert roots == [model]


def test_a_model_whose_parameters_are_yet_to_be_inferred_is_met_at_its_next_call(roots):
    model = nn.Sequential(nn.LazyLinear(2), nn.LazyBatchNorm1d())
    model(torch.ones(2, 2))
    assert roots == []
    model(torch.ones(2, 2))
    assert roots == [model]


def test_a_model_that_the_program_compiles_in_place_is_met_and_stays_compiled(roots):
    class Model(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    graphs = []
    model = Model(2, 2)
    model.compile(backend=lambda graph, _: graphs.append(graph) or graph.forward)
    for _ in range(2):
        model(X)
    assert roots == [model]
    assert len(graphs) == 1


def test_nothing_is_left_on_modules_after_their_first_call(roots):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model(X)
    assert all("_compiled_call_impl" not in vars(module) for module in model.modules())


def test_a_module_that_is_never_called_is_pickled_as_a_plain_one(roots):
    class Whole(nn.Linear):
        """Pickles and copies everything that it has."""

        def __getstate__(self):
            return vars(self)

    Whole.__qualname__ = "Whole"
    sys.modules[__name__].Whole = Whole
    assert b"hotloop" not in pickle.dumps(Whole(2, 2)).replace(__name__.encode(), b"")
    assert copy.deepcopy(Whole(2, 2))(X).shape == (1, 2)
