"""Vector instructions are taken for granted only where testing them found the same."""

import os
import sys

import pytest

from hotloop.compile import vector_units
from hotloop.compile.vector_units import GRANTED, are_vector_units_usable


@pytest.mark.parametrize(("comparison", "expected"), [("raise SystemExit(0)", True), ("raise SystemExit(1)", False)])
def test_the_answer_is_that_of_the_comparison(comparison, expected, monkeypatch):
    monkeypatch.setattr(vector_units, "_COMPARE", comparison)
    assert are_vector_units_usable(os.environ) is expected


def test_what_cannot_be_tested_is_not_granted(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert not are_vector_units_usable(os.environ)
    monkeypatch.undo()
    monkeypatch.setattr(vector_units, "_COMPARE", "import time; time.sleep(60)")
    monkeypatch.setattr(vector_units, "_LIMIT", 0.2)
    assert not are_vector_units_usable(os.environ)


def test_a_decision_of_the_users_is_left_alone():
    assert not are_vector_units_usable({**os.environ, GRANTED: "0"})


@pytest.mark.slow
def test_inductor_finds_the_same_here_either_way(tmp_path):
    assert are_vector_units_usable({**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)})
