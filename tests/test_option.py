from typing import Annotated, Literal

import pytest

from hotloop.option import AtLeast, allowed_values, fits

CASES = [
    (bool, (True, False), (1, "true", None), "true or false"),
    (int, (3, -1), (True, 2.0, "2"), "an integer"),
    (float, (0.5, 2), (True, "2"), "a number"),
    (str, ("x", ""), (2, None), "a string"),
    (str | None, ("x", None), (2,), "a string or left out"),
    (Literal["a", "b", "c"], ("a", "c"), ("d", 1), "'a', 'b' or 'c'"),
    (Literal[1], (1,), (True, 1.0), "1"),
    (Literal["a"] | int | None, ("a", 5, None), ("b", False), "'a', an integer or left out"),
    (Annotated[int, AtLeast(1)], (1, 9), (0, True, "1"), "an integer of at least 1"),
    (Annotated[float, AtLeast(0.5)], (0.5, 1), (0.4, "1"), "a number of at least 0.5"),
]


@pytest.mark.parametrize(("annotation", "good", "bad", "words"), CASES)
def test_values_fit_their_annotation_and_no_others(annotation, good, bad, words):
    assert all(fits(value, annotation) for value in good)
    assert not any(fits(value, annotation) for value in bad)
    assert allowed_values(annotation) == words


@pytest.mark.parametrize("annotation", [list[int], dict, Annotated[int, "positive"], list[int] | None])
def test_an_annotation_that_cannot_be_checked_is_refused_with_those_that_can(annotation):
    with pytest.raises(TypeError, match=r"cannot check .*; give bool, int, float, str, None, Literal"):
        allowed_values(annotation)
