from dataclasses import replace

import pytest
from observations import make_observation

from hotloop.verify.order import differences_in_order, draws_otherwise, fetches_draw
from hotloop.worker.observation import LoaderPass

HERE = ((4.0, 1.0, 2.0),)
ELSEWHERE = ((4.0, -2.0, 1.0),)
NEARLY = ((4.0, 1.0, 2.001),)


def observe(*inputs, passes=(), positions=()):
    return make_observation([1.0] * len(inputs), inputs=inputs, passes=passes, positions=positions)


def one_pass(*batches, ended=True):
    return LoaderPass(batches=tuple((64, batch, batch % 10) for batch in batches), ended=ended)


def test_equal_runs_are_in_the_same_order():
    run = observe(HERE, ELSEWHERE, passes=(one_pass(11, 12),), positions=(1, 2))
    assert differences_in_order(run, run, loads=False) == []
    assert not draws_otherwise(run, run)


def test_other_inputs_are_named_by_their_step():
    assert differences_in_order(observe(HERE, HERE), observe(HERE, ELSEWHERE), loads=False) == [
        "in step 2 a root module gets other inputs"
    ]


def test_rounding_of_an_input_is_not_another_input():
    assert differences_in_order(observe(HERE, HERE), observe(HERE, NEARLY), loads=False) == []


def test_an_input_that_is_computed_may_go_its_own_way():
    assert differences_in_order(observe(HERE, HERE), observe(NEARLY, ELSEWHERE), loads=False) == []


def test_random_numbers_drawn_are_counted():
    (told,) = differences_in_order(observe(HERE, positions=(1,)), observe(HERE, positions=(2,)), loads=False)
    assert told == "by step 1 the program has drawn other random numbers"


def test_workers_that_draw_their_own_numbers_are_left_to_the_unpaired_comparison():
    run, baseline = (observe(inputs, passes=(one_pass(11, 12),)) for inputs in (HERE, ELSEWHERE))
    assert differences_in_order(run, baseline, loads=True) == []
    assert draws_otherwise(run, baseline)


@pytest.mark.parametrize(
    ("passes", "words"),
    [
        ((one_pass(11),), "pass 1 over a loader has 1 batches in place of 2"),
        ((one_pass(12, 11),), "pass 1 over a loader fetches its samples in another order"),
        ((one_pass(11, 12), one_pass(11, 12)), "pass 2 over a loader fetches its samples in the order of an earlier"),
        ((one_pass(11, 12), one_pass(15, 16)), "pass 2 over a loader fetches other samples"),
    ],
)
def test_loaders_that_fetch_other_samples_are_named(passes, words):
    baseline = observe(HERE, passes=(one_pass(11, 12), one_pass(12, 11)))
    (told,) = differences_in_order(observe(HERE, passes=passes), baseline, loads=True)
    assert words in told


def test_other_inputs_are_explained_by_a_loader_that_draws_random_numbers_alone():
    still = replace(one_pass(11, 12), draws=False)
    assert fetches_draw(observe(HERE, passes=(still, one_pass(12, 11))))
    assert not fetches_draw(observe(HERE, passes=(still,)))
    assert not fetches_draw(observe(HERE))
