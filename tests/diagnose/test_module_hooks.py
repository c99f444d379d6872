"""Hooks of probes that follow modules, on a model that is copied, pickled, and used afterwards."""

import copy
import pickle

import torch

from hotloop.diagnose.phase_hooks import PhaseHooks
from hotloop.diagnose.probes.memory import MemoryProbe
from hotloop.diagnose.probes.modules import ModuleProbe

from .conftest import probe_steps


def test_no_hook_stays_behind_when_the_windows_have_closed(context, training):
    model, step = training
    for probe in (ModuleProbe(context), MemoryProbe(context)):
        probe_steps(probe, step, steps=2)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_model_under_hooks_can_be_copied_and_pickled(context, training):
    model, step = training
    PhaseHooks(context).follow(model)
    with ModuleProbe(context).active(), MemoryProbe(context).active():
        step()
        twin = copy.deepcopy(model)
        again = pickle.loads(pickle.dumps(model))
    x = torch.randn(2, 256)
    assert torch.equal(twin(x), model(x))
    assert torch.equal(again(x), model(x))
