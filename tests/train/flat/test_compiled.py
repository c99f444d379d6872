import numpy as np
import pytest
import torch
from torch import nn

from hotloop.errors import NotApplicable
from hotloop.train.episodic import EpisodicOptions, train_episodic
from hotloop.train.epochs import train_epochs
from hotloop.train.flat.compiled import PROBED, Compilation, CompilePayback
from hotloop.train.options import UpdateOptions
from hotloop.train.stopwatch import HostStopwatch
from hotloop.train.strategies.supervised import Supervised


class Data:
    def __init__(self, count):
        generator = torch.Generator().manual_seed(0)
        self.pairs = [
            (torch.randn(6, 3, generator=generator), torch.randn(6, 2, generator=generator)) for _ in range(count)
        ]

    def __len__(self):
        return len(self.pairs)

    def __iter__(self):
        return iter(self.pairs)

    def skip(self, epochs):
        pass


def run(compile, *, optimizer="adam", strategy=None, lr_end=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    options = UpdateOptions(epochs=3, lr=0.01, optimizer=optimizer, clip_norm=0.1, lr_end=lr_end)
    compilation = None if compile == "off" else Compilation(what=compile, backend="aten")
    strategy = strategy or Supervised(criterion=nn.functional.mse_loss)
    epochs = train_epochs(
        model, strategy, Data(PROBED + 3), options, compilation=compilation, stopwatch=HostStopwatch()
    )
    return epochs, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("compile", ["model", "step"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_o3_a_compiled_run_learns_what_the_flat_run_learns(compile, optimizer):
    flat, weights = run("off", optimizer=optimizer, lr_end=0.001)
    compiled, same = run(compile, optimizer=optimizer, lr_end=0.001)
    assert torch.allclose(weights, same, rtol=1e-4, atol=1e-6)
    expected = [epoch.loss for epoch in flat.history]
    assert [epoch.loss for epoch in compiled.history] == pytest.approx(expected, rel=1e-4)
    assert compiled.step == f"compiled {compile}"
    assert compiled.compile_time_s > 0
    assert compiled.payback is not None


class Uncapturable(Supervised):
    def loss(self, model, batch):
        loss = super().loss(model, batch)
        if torch._guards.detect_fake_mode([loss.value]) is not None or not isinstance(model, nn.Sequential):
            raise NotApplicable("planted")
        return loss


@pytest.mark.parametrize("compile", ["model", "step"])
def test_o3_a13_where_compiling_fails_one_warning_says_so_and_the_flat_step_goes_on(compile):
    flat, weights = run("off")
    with pytest.warns(RuntimeWarning, match="could not be compiled") as caught:
        failed, same = run(compile, strategy=Uncapturable(criterion=nn.functional.mse_loss))
    assert len(caught) == 1
    assert "planted" in failed.compile_failure
    assert failed.payback is None
    assert torch.allclose(weights, same, rtol=1e-5, atol=1e-7)
    assert [epoch.loss for epoch in failed.history] == pytest.approx([epoch.loss for epoch in flat.history], rel=1e-5)


def test_o3_payback_is_compile_time_over_time_won():
    payback = CompilePayback(compile_time_s=10.0, flat_update_s=0.003, compiled_update_s=0.001)
    assert payback.updates == 5000
    assert "pays back after 5000 updates" in payback.sentence()
    never = CompilePayback(compile_time_s=10.0, flat_update_s=0.001, compiled_update_s=0.003)
    assert never.updates is None
    assert "does not pay back" in never.sentence()


@pytest.mark.parametrize(
    "wrong", [{"clip_value": 1.0}, {"clip_every": 2}, {"nonfinite": "skip"}], ids=lambda wrong: next(iter(wrong))
)
def test_a_whole_step_refuses_what_it_cannot_do(wrong):
    series = np.ones((20, 3), np.float32)
    with pytest.raises(ValueError, match="compile='model'"):
        train_episodic(nn.Linear(3, 2), series, EpisodicOptions(epochs=1, window=4, compile="step", **wrong))


@pytest.mark.slow
@pytest.mark.parametrize("compile", ["model", "step"])
def test_o3_inductor_runs_the_episodes(compile):
    series, ends = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32), []
    for chosen in ("off", compile):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        done = train_episodic(model, series, EpisodicOptions(epochs=2, window=8, compile=chosen), seed=0)
        ends.append([epoch.reward for epoch in done.history])
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)
    assert "compiling took" in done.notes[0]
    assert done.profile.compile_time_s > 0
