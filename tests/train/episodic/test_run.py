import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from hotloop.errors import NonFiniteError
from hotloop.models.wave_residual import WaveResNet, WaveSchedule
from hotloop.train.episodes.windows import draw_starts
from hotloop.train.episodic import EpisodicOptions, train_episodic
from hotloop.train.episodic.profile import PHASES


def reward(actions, context):
    return -(actions - context[..., :2]).square().mean((1, 2))


def by_hand(model, series, starts, *, batch, window=8, epochs=2, lr=1e-2):
    """The loop as the peer writes it: torch's Adam, clip_grad_norm_, one update after another."""
    optimizer, rewards = torch.optim.Adam(model.parameters(), lr=lr), []
    for row in starts:
        total = 0.0
        for first in range(0, len(row), batch):
            chosen = row[first : first + batch]
            inputs = torch.stack([torch.from_numpy(series[start : start + window]) for start in chosen])
            actions = torch.tanh(model(inputs.flatten(0, 1)).view(len(chosen), window, -1))
            got = reward(actions, inputs.flatten(2))
            optimizer.zero_grad()
            (-got.mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += got.mean().item() * len(chosen)
        rewards.append(total / len(row))
    return rewards


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("name", ["linear", "dense", "conv"])
def test_3_7_training_is_that_of_the_plain_loop(request, make, options, weights, name, batch, fused):
    series = request.getfixturevalue("conv_series" if name == "conv" else "flat_series")
    chosen = options(batch_episodes=batch, updates_per_epoch=8 // batch, fused=fused)
    mine, theirs = make[name](), make[name]()
    run = train_episodic(mine, series, chosen, reward=reward, seed=5)
    starts = np.random.default_rng(5).integers(0, len(series) - 7, size=(2, 8))
    expected = by_hand(theirs, series, starts, batch=batch)
    assert [epoch.reward for epoch in run.history] == pytest.approx(expected, rel=1e-4)
    assert torch.allclose(weights(mine), weights(theirs), atol=2e-4)
    assert run.profile.step == ("fused" if fused and name != "linear" else "flat")


def test_3_5_the_gradient_of_a_batch_is_the_mean_of_its_episodes(make, flat_series, options, weights):
    starts = np.array([[0, 20, 31, 50]])
    moved = []
    for cut, batch in ((starts, 4), *((starts[:, i : i + 1], 1) for i in range(4))):
        model = make["linear"]()
        before = weights(model)
        chosen = options(epochs=1, batch_episodes=batch, updates_per_epoch=1, optimizer="sgd", lr=1.0, clip_norm=None)
        train_episodic(model, flat_series, chosen, reward=reward, starts=cut)
        moved.append(weights(model) - before)
    assert torch.allclose(moved[0], torch.stack(moved[1:]).mean(0), atol=1e-6)


def test_3_3_one_forward_an_update_on_all_rows(flat_series, options):
    shapes = []
    model = nn.Linear(3, 2)
    model.register_forward_hook(lambda module, inputs, outputs: shapes.append(tuple(inputs[0].shape)))
    train_episodic(model, flat_series, options(epochs=1, batch_episodes=4, updates_per_epoch=3), seed=0)
    assert shapes == [(32, 3)] * 3


@pytest.mark.parametrize("primary", ["identity", "softmax", "tanh"])
@pytest.mark.parametrize("name", ["linear", "dense"])
def test_3_3_the_transform_acts_on_the_last_dimension(make, flat_series, options, primary, name):
    seen, model = [], make[name]()

    def see(actions, context):
        seen.append(actions.detach().clone())
        return reward(actions, context)

    transforms = {"identity": lambda x: x, "softmax": lambda x: x.softmax(-1), "tanh": torch.tanh}
    expected = transforms[primary](model(torch.from_numpy(flat_series[3:11]))).detach()
    chosen = options(epochs=1, batch_episodes=1, updates_per_epoch=1, primary_transform=primary)
    train_episodic(model, flat_series, chosen, reward=see, starts=np.array([[3]]))
    assert torch.allclose(seen[0][0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "dense"])
def test_a9_equal_seeds_give_equal_runs_to_the_last_bit(make, flat_series, options, weights, name):
    ends = []
    for seed in (1, 1, 2):
        model = make[name]()
        train_episodic(model, flat_series, options(input_noise_std=0.1), seed=seed)
        ends.append(weights(model).tolist())
    assert ends[0] == ends[1] != ends[2]


def test_3_6_the_profile_has_the_keys_of_the_peer_and_accounts_for_the_time(make, flat_series, options):
    profile = train_episodic(make["dense"](), flat_series, options(epochs=20), seed=0).profile
    flat = profile.as_dict()
    keys = "device epochs total_time_s episode_length batch_episodes episode_batch_size updates_per_epoch dataset_bytes"
    keys += " dataset_transfer_batches dataset_numpy_to_tensor_time_s dataset_transfer_time_s episodes_sampled"
    keys += " episode_view_is_shared amp_enabled amp_dtype"
    times = "episode episode_gather forward reward backward optimizer"
    assert {*keys.split(), *(f"{name}_time_s_total" for name in times.split())} <= set(flat)
    assert set(profile.phases) <= set(PHASES)
    assert 0.95 * profile.total_time_s <= sum(profile.phases.values()) <= 1.001 * profile.total_time_s
    assert (flat["batch_episodes"], flat["episode_batch_size"], flat["dataset_bytes"]) == (32, 1, 60 * 3 * 4)


def test_3_6_phases_can_be_left_out(make, flat_series, options):
    profile = train_episodic(make["linear"](), flat_series, options(phases="off"), seed=0).profile
    assert profile.phases == {}
    assert profile.total_time_s > 0


def test_defect_12_a_second_run_counts_from_nothing(make, flat_series, options):
    model = make["linear"]()
    first, second = (train_episodic(model, flat_series, options(), seed=0).profile for _ in range(2))
    assert first.episodes_sampled == second.episodes_sampled == 64


def test_defect_02_softmax_over_one_action_is_warned_of(make, flat_series, options):
    with pytest.warns(UserWarning, match="always 1"):
        train_episodic(make["linear"](3, 1), flat_series, options(primary_transform="softmax"), seed=0)


def test_defect_03_schedules_of_the_model_advance_with_the_epochs(flat_series, options):
    torch.manual_seed(0)
    schedule = WaveSchedule(warmup_epochs=2, depth_initial=1, depth_interval=1)
    model = WaveResNet(3, 2, hidden_layers=3, hidden_units=8, schedule=schedule)
    epochs = []
    train_episodic(
        model, flat_series, options(epochs=3), seed=0, on_epoch=lambda e: epochs.append((model.first_w0, model.depth))
    )
    assert epochs == [(20.0, 2), (30.0, 3), (30.0, 3)]


def blows_up(actions, context):
    """Finite for a while: the divisor reaches zero in the third update."""
    blows_up.calls += 1
    return reward(actions, context) / (0.0 if blows_up.calls >= 3 else 1.0)


@pytest.mark.parametrize("name", ["linear", "dense"])
def test_defect_10_a_nan_stops_the_run_and_leaves_the_weights_from_before(make, flat_series, options, weights, name):
    bad, good, blows_up.calls = make[name](), make[name](), 0
    starts = draw_starts_of(flat_series, updates=4)
    chosen = options(epochs=1, batch_episodes=1, updates_per_epoch=4)
    with pytest.raises(NonFiniteError, match="epoch 1, update 3"):
        train_episodic(bad, flat_series, chosen, reward=blows_up, starts=starts)
    chosen = options(epochs=1, batch_episodes=1, updates_per_epoch=2)
    train_episodic(good, flat_series, chosen, reward=reward, starts=starts[:, :2])
    assert torch.equal(weights(bad), weights(good))


@pytest.mark.parametrize("name", ["linear", "dense"])
def test_defect_10_or_such_updates_are_skipped_and_counted(make, flat_series, options, weights, name):
    def sometimes(actions, context):
        sometimes.calls += 1
        return reward(actions, context) * (float("nan") if sometimes.calls == 2 else 1.0)

    sometimes.calls = 0
    chosen = options(epochs=1, batch_episodes=1, updates_per_epoch=4, nonfinite="skip")
    model = make[name]()
    run = train_episodic(model, flat_series, chosen, reward=sometimes, seed=0)
    assert (run.history[0].skipped, run.history[0].updates, run.profile.skipped_updates) == (1, 4, 1)
    assert weights(model).isfinite().all()
    assert np.isfinite(run.history[0].reward)


def draw_starts_of(series, *, updates):
    return np.random.default_rng(0).integers(0, len(series) - 7, size=(1, updates))


def test_the_best_weights_come_back_after_an_early_stop(make, flat_series, options, weights):
    seen, model = {}, make["linear"]()

    def on_epoch(epoch):
        seen[epoch.epoch] = (epoch.validation, weights(model))

    chosen = options(epochs=40, lr=0.5, patience=2)
    run = train_episodic(
        model, flat_series, chosen, reward=reward, seed=0, validation=flat_series[:20], on_epoch=on_epoch
    )
    best = max(seen, key=lambda epoch: seen[epoch][0])
    assert run.stopped_early
    assert run.best_epoch == best == len(run.history) - 2
    assert torch.equal(weights(model), seen[best][1])
    assert not model.training


def test_callbacks_hear_of_each_epoch_in_order(make, flat_series, options):
    heard = []
    train_episodic(
        make["linear"](),
        flat_series,
        options(),
        seed=0,
        before_epoch=heard.append,
        on_epoch=lambda epoch: heard.append(epoch.epoch),
    )
    assert heard == [0, 1, 1, 2]


def test_the_rate_goes_from_lr_to_lr_end(make, flat_series, options, weights):
    ends = []
    for rates in ({"lr": 1e-2, "lr_end": 1e-9}, {"lr": 1e-2}):
        model = make["linear"]()
        chosen = options(epochs=2, batch_episodes=1, updates_per_epoch=1, **rates)
        train_episodic(model, flat_series, chosen, seed=0)
        ends.append(weights(model))
    once = make["linear"]()
    start = draw_starts(resolve_one(), 60, epochs=2, seed=0)[:1]
    train_episodic(once, flat_series, options(epochs=1, batch_episodes=1, updates_per_epoch=1), starts=start)
    assert torch.allclose(ends[0], weights(once), atol=1e-6)
    assert not torch.allclose(ends[1], weights(once), atol=1e-4)


def resolve_one():
    from hotloop.train.episodes.schedule import Schedule

    return Schedule(window=8, batch=1, episodes=1)


@pytest.mark.parametrize("values", [np.nan, np.inf])
def test_a_series_that_is_not_finite_is_refused(make, flat_series, options, values):
    flat_series[3, 1] = values
    with pytest.raises(ValueError, match="NaN or infinity"):
        train_episodic(make["linear"](), flat_series, options())


def test_input_that_does_not_fit_is_refused(make, flat_series, options):
    with pytest.raises(ValueError, match="reshape"):
        train_episodic(make["linear"](), flat_series[:, 0], options())
    with pytest.raises(ValueError, match="2 outputs a step and 4 actions"):
        train_episodic(make["linear"](), flat_series, options(), action_dim=4)
    with pytest.raises(ValueError, match="no parameters"):
        train_episodic(nn.Identity(), flat_series, options())
    with pytest.raises(ValueError, match="unfreeze"):
        train_episodic(make["linear"]().requires_grad_(False), flat_series, options())


def test_parameters_own_their_storage_afterwards(make, flat_series, options):
    model = make["dense"]()
    train_episodic(model, flat_series, options(), seed=0)
    storages = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    assert len(storages) == len(list(model.parameters()))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_defect_18_threads_are_one_for_small_work_and_put_back(make, flat_series, options):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run = train_episodic(make["linear"](), flat_series, options(), seed=0)
        assert run.profile.threads == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="without gradient"):
            train_episodic(make["linear"](), flat_series, options(threads=1), reward=lambda a, c: 0.0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_defect_17_training_does_not_import_the_compiler():
    code = (
        "import sys, torch, numpy as np\n"
        "from hotloop.train.episodic import EpisodicOptions, train_episodic\n"
        "train_episodic(torch.nn.Linear(3, 2), np.ones((20, 3), 'float32'), EpisodicOptions(epochs=1, window=4))\n"
        "assert 'torch._dynamo' not in sys.modules and 'torch._inductor' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_bf16_runs_the_network_in_bf16_and_the_reward_in_fp32(make, flat_series, options):
    seen = []
    model = make["linear"]()
    model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.dtype))

    def see(actions, context):
        seen.append(actions.dtype)
        return reward(actions, context)

    run = train_episodic(model, flat_series, options(epochs=1, amp="bfloat16"), reward=see, seed=0)
    assert set(seen[::2]) == {torch.bfloat16}
    assert set(seen[1::2]) == {torch.float32}
    assert (run.profile.amp_enabled, run.profile.amp_dtype) == (True, "bfloat16")


def test_fp16_is_refused_on_the_cpu(make, flat_series, options):
    with pytest.raises(ValueError, match="bfloat16"):
        train_episodic(make["linear"](), flat_series, options(amp="float16"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("amp", [None, "bfloat16", "float16"])
def test_a5_cuda_learns_what_the_cpu_learns(make, flat_series, options, weights, amp):
    models = [make["dense"](), make["dense"]()]
    for model, device in zip(models, ("cpu", "cuda"), strict=True):
        chosen = options(phases="on", amp=amp if device == "cuda" else None, batch_episodes=8, updates_per_epoch=4)
        run = train_episodic(model, flat_series, chosen, reward=reward, seed=0, device=device)
    assert torch.allclose(weights(models[0]), weights(models[1]).cpu(), atol=2e-3 if amp is None else 5e-2)
    assert run.profile.phases["forward"] > 0


def test_options_have_the_defaults_of_the_peer():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = EpisodicOptions()
    assert (options.window, options.updates_per_epoch, options.primary_transform) == (64, None, "softmax")
    assert (options.transition_penalty, options.clip_norm, options.state_reset) == (0.0, 1.0, "batch")
