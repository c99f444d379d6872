import pytest
import torch

from hotloop.train.episodic import train_episodic


class Counting:
    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, inputs):
        self.calls += 1
        return self.function(inputs)


def reward(actions, context):
    return (actions * context).mean((1, 2))


@pytest.mark.parametrize(("check", "calls"), [(False, 1), (True, 2)])
def test_o1_the_extractor_is_called_once_for_the_series_and_once_to_check(make, flat_series, options, check, calls):
    extractor = Counting(torch.sin)
    chosen = options(context_mode="per_series", check_context=check)
    train_episodic(make["linear"](), flat_series, chosen, context=extractor, reward=reward, seed=0)
    assert extractor.calls == calls


@pytest.mark.parametrize("schedule", [{}, {"batch_episodes": 4, "updates_per_epoch": 3}])
def test_o1_a_per_step_extractor_gives_equal_runs_in_both_modes(make, flat_series, options, weights, schedule):
    ends = []
    for mode in ("per_batch", "per_series"):
        model = make["linear"]()
        run = train_episodic(
            model, flat_series, options(context_mode=mode, **schedule), context=torch.sin, reward=reward, seed=0
        )
        ends.append((weights(model).tolist(), [epoch.reward for epoch in run.history]))
    assert ends[0] == ends[1]


def test_o1_an_extractor_that_looks_at_more_than_one_step_is_found_out(make, flat_series, options):
    with pytest.raises(ValueError, match="more than one step"):
        train_episodic(
            make["linear"](), flat_series, options(context_mode="per_series"), context=lambda x: x.cumsum(1), seed=0
        )


def test_o1_a_context_of_another_length_is_refused(make, flat_series, options):
    with pytest.raises(ValueError, match=r"\(1, 30, 3\).*\(1, 60, 3\)"):
        train_episodic(make["linear"](), flat_series, options(context_mode="per_series"), context=lambda x: x[:, ::2])


def test_o1_noise_and_one_context_for_the_series_exclude_each_other(make, flat_series, options):
    with pytest.raises(ValueError, match="per_batch"):
        train_episodic(
            make["linear"](), flat_series, options(context_mode="per_series", input_noise_std=0.1), context=torch.sin
        )
