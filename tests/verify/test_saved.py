"""Saves written by hand; whole programs are in tests/cases/test_saved.py."""

from dataclasses import replace

import pytest
from observations import make_run, make_steps

from hotloop.verify.saved import (
    differences_in_kind_of_saves,
    differences_in_values_of_saves,
    not_compared,
    not_repeated,
)
from hotloop.verify.tolerance import FP32
from hotloop.worker.saved_object import FINAL_STATE, SavedLeaf, SavedObject


def make(*, digest=1, step=4, optimizers=None, **leaves):
    """A run with one save of these leaves."""
    saved = SavedObject(title="save 1", step=step, digest=digest, leaves={f"['{k}']": v for k, v in leaves.items()})
    run = replace(make_run(), saves=(saved,))
    return run if optimizers is None else replace(run, optimizers=optimizers)


def tensor(*values, kind="float32 (2,)", group="weight since the start"):
    return SavedLeaf(kind=kind, group=group, sketch=values)


def number(value):
    return SavedLeaf(kind="float", number=value)


def values(run, baseline, *noisy, **options):
    return differences_in_values_of_saves(run, baseline, noisy, FP32, **options)


def test_other_keys_kinds_and_times_are_told():
    baseline = make(a=tensor(1.0, 2.0))
    assert list(differences_in_kind_of_saves(baseline, baseline)) == []
    (told,) = differences_in_kind_of_saves(make(digest=2), baseline)
    assert told == "save 1, after step 4, lacks ['a']"
    (told,) = differences_in_kind_of_saves(make(digest=2, a=tensor(1.0, 2.0, kind="bfloat16 (2,)")), baseline)
    assert told == "save 1, after step 4, holds ['a'] as bfloat16 (2,) in place of float32 (2,)"
    (told,) = differences_in_kind_of_saves(make(step=5, a=tensor(1.0, 2.0)), baseline)
    assert told == "save 1 comes after step 5 in place of 4"


def test_a_vector_may_be_as_far_off_as_a_multiple_of_the_noise():
    baseline, noisy = make(a=tensor(1.0, 0.0)), make(a=tensor(1.02, 0.0))
    assert values(make(a=tensor(1.1, 0.0)), baseline, noisy) == []
    (told,) = values(make(a=tensor(1.1, 0.0)), baseline)
    assert told == "save 1, after step 4: 'weight since the start' is off by 1.0e-01 (limit 2.0e-02)"


def test_a_number_that_is_a_setting_is_compared_exactly_and_another_within_the_tolerance():
    path = "x']['param_groups'][0]['lr"
    assert values(make(loss=number(1.01)), make(loss=number(1.0))) == []
    assert "is 1.1 in place of 1" in values(make(loss=number(1.1)), make(loss=number(1.0)))[0]
    assert "is 1.01 in place of 1" in values(make(**{path: number(1.01)}), make(**{path: number(1.0)}))[0]


def test_texts_are_equal_unless_the_noise_moves_them_or_two_equal_runs_differ():
    texts = [make(n=SavedLeaf(kind="int", text=text)) for text in ("3", "4", "5")]
    assert values(texts[1], texts[0]) == ["save 1, after step 4: ['n'] is 4 in place of 3"]
    assert values(texts[1], texts[0], texts[2]) == []
    assert values(texts[1], texts[0], left_out=not_repeated(texts[2], texts[0])) == []


def test_a_parameter_that_only_rounding_moves_is_left_out():
    steps = make_steps(gradients=((1.0, 1e-9),) * 12)
    runs = [make(weight=tensor(1.0, 0.0), bias=tensor(x, 0.0, group="bias"), optimizers=(steps,)) for x in (1.0, -1.0)]
    assert values(*runs) == []


def test_many_differences_are_counted():
    runs = [make(**{str(n): number(x) for n in range(9)}) for x in (1.0, 2.0)]
    assert values(*runs)[-1] == "6 more values that were saved differ"


@pytest.mark.parametrize("kind", ["float", "cannot be compared: Odd"])
def test_what_nobody_can_look_into_is_named(kind):
    told = not_compared(make(a=SavedLeaf(kind=kind)))
    assert told == (None if kind == "float" else "['a'] of save 1, after step 4, cannot be compared: Odd")


def final(**owners):
    """A run with the final state of these owners, each with one leaf."""
    leaves = {f"['{owner}']['weight']": leaf for owner, leaf in owners.items()}
    saved = SavedObject(title=FINAL_STATE, step=9, digest=hash(tuple(owners)), leaves=leaves)
    return replace(make_run(), saves=(saved,))


def test_an_object_that_only_one_run_still_held_at_its_end_tells_nothing():
    one, two = final(model=tensor(1.0, 2.0)), final(model=tensor(1.0, 2.0), optimizer=tensor(3.0, 4.0))
    assert list(differences_in_kind_of_saves(two, one)) == list(differences_in_kind_of_saves(one, two)) == []
    other = final(model=tensor(1.0, 2.0, kind="bfloat16 (2,)"), optimizer=tensor(3.0, 4.0))
    (told,) = differences_in_kind_of_saves(other, one)
    assert told.endswith("holds ['model']['weight'] as bfloat16 (2,) in place of float32 (2,)")
