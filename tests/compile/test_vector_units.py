"""Vector instructions are taken for granted only where testing them found the same."""

import os
import sys

import pytest

from hotloop.compile.vector_units import GRANTED, are_vector_units_usable


@pytest.mark.parametrize(("comparison", "expected"), [("raise SystemExit(0)", True), ("raise SystemExit(1)", False)])
def test_the_answer_is_that_of_the_comparison(comparison, expected):
    assert are_vector_units_usable(os.environ, comparison=comparison) is expected


def test_what_cannot_be_tested_is_not_granted(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert not are_vector_units_usable(os.environ)
    monkeypatch.undo()
    assert not are_vector_units_usable(os.environ, comparison="import time; time.sleep(60)", limit=0.2)


def test_a_decision_of_the_users_is_left_alone():
    assert not are_vector_units_usable({**os.environ, GRANTED: "0"})


@pytest.mark.slow
def test_inductor_finds_the_same_here_either_way(tmp_path):
    assert are_vector_units_usable({**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)})
