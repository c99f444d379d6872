import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.train.episodes.schedule import Schedule
from hotloop.train.episodes.windows import Noise, Windows, draw_starts
from hotloop.train.episodic import train_episodic
from hotloop.train.stopwatch import NoStopwatch


class Count(TorchDispatchMode):
    """Keeps the names of operations."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def batches(series, starts, *, batch, window=4):
    schedule = Schedule(window=window, batch=batch, episodes=starts.shape[1])
    return list(Windows(series, starts, schedule, stopwatch=NoStopwatch()))


@pytest.mark.parametrize("shape", [(20, 3), (20, 2, 4, 5)])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_3_2_gathered_windows_are_those_of_a_loop_over_slices(shape, batch):
    series, starts = torch.randn(shape), np.array([[0, 16, 5, 5, 9, 1, 2]])
    got = torch.cat([episodes.inputs() for episodes in batches(series, starts, batch=batch)])
    assert torch.equal(got, torch.stack([series[start : start + 4] for start in starts[0]]))


def test_3_2_one_episode_is_a_view_of_the_series():
    series = torch.randn(20, 3)
    (episodes,) = batches(series, np.array([[7]]), batch=1)
    assert episodes.rows.data_ptr() == series[7].data_ptr()


def test_3_2_starts_cover_the_series_and_the_last_is_reached():
    starts = draw_starts(Schedule(window=8, batch=4, episodes=1000), 12, epochs=2, seed=0)
    assert starts.shape == (2, 1000)
    assert set(starts.ravel().tolist()) == {0, 1, 2, 3, 4}


def test_a_series_shorter_than_the_window_is_refused_with_both_lengths():
    schedule, starts = Schedule(window=16, batch=2, episodes=2), np.array([[0, 0]])
    message = "has 10 steps and the window 16; .* give a longer series or a shorter window"
    with pytest.raises(ValueError, match=message):
        draw_starts(schedule, 10, epochs=1, seed=0)
    with pytest.raises(ValueError, match=message):
        Windows(torch.randn(10, 3), starts, schedule, stopwatch=NoStopwatch())


def test_a9_one_draw_for_the_run_is_the_stream_of_one_draw_an_update():
    schedule = Schedule(window=64, batch=8, episodes=32)
    rng = np.random.default_rng(42)
    one_by_one = [rng.integers(0, 506 - 64 + 1, size=8) for _ in range(3 * 4)]
    assert np.array_equal(draw_starts(schedule, 506, epochs=3, seed=42).ravel(), np.concatenate(one_by_one))


def test_a9_starts_can_be_fixed(make, flat_series, options):
    seen, starts = [], np.array([[0, 52], [3, 4]])

    def reward(actions, context):
        seen.append(context[:, 0, 0].tolist())
        return -actions.square().mean((1, 2))

    train_episodic(
        make["linear"](), flat_series, options(batch_episodes=2, updates_per_epoch=1), reward=reward, starts=starts
    )
    assert seen == [flat_series[row, 0].tolist() for row in starts]
    with pytest.raises(ValueError, match="from 0 to 52"):
        train_episodic(make["linear"](), flat_series, options(), starts=starts + 50)


def test_noise_depends_on_seed_and_epoch_alone():
    rows, device = torch.zeros(2, 3), torch.device("cpu")
    first, later = Noise(0.5, 7, device), Noise(0.5, 7, device)
    first(0, rows)
    assert torch.equal(first(1, rows), later(1, rows))
    assert not torch.equal(first(1, rows), later(2, rows))
    assert Noise(0.5, 7, device)(0, torch.zeros(20_000, 1)).std().item() == pytest.approx(0.5, rel=0.05)


def test_the_context_sees_the_noise(make, flat_series, options):
    seen = []

    def extractor(inputs):
        seen.append(inputs.clone())
        return inputs

    chosen = options(epochs=1, batch_episodes=1, updates_per_epoch=1, input_noise_std=0.1)
    train_episodic(make["linear"](), flat_series, chosen, context=extractor, starts=np.array([[5]]), seed=0)
    off = seen[0][0].numpy() - flat_series[5:13]
    assert 0.02 < off.std() < 0.3


@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 4, 4)])
@pytest.mark.parametrize("batch", [2, 8])
def test_3_2_an_update_is_gathered_by_one_operation_whatever_its_size(shape, batch):
    schedule = Schedule(window=4, batch=batch, episodes=3 * batch)
    windows = Windows(torch.randn(shape), np.zeros((1, 3 * batch), np.int64), schedule, stopwatch=NoStopwatch())
    with Count() as count:
        assert len(list(windows)) == 3
    assert count.seen.count("index_select") == 3
    assert not {"stack", "cat", "copy_", "index"} & set(count.seen)
