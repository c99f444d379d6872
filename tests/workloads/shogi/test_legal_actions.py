"""Masks show the legal moves and nothing of what was legal before."""

import numpy as np
import pytest
from rsshogi.core import Board

from hotloop.workloads.shogi import action_encoding
from hotloop.workloads.shogi.actions import ENCODINGS
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.legal_actions import LegalActions

MOST_MOVES = "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1"
KINGS = "4k4/9/9/9/9/9/9/9/4K4 w - 1"


def shown(mask, legal: LegalActions, *sfens: str) -> list[Game]:
    games = [Game(sfen) for sfen in sfens]
    legal.write(games, np.array([game.side for game in games]), np.array([len(game.legal) for game in games]))
    return games


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_the_position_of_593_moves_has_593(name):
    encoding = action_encoding(name)
    mask = np.zeros((1, encoding.num_actions), dtype=np.bool_)
    (game,) = shown(mask, LegalActions(mask, encoding), MOST_MOVES)
    assert mask.sum() == 593
    actions = np.flatnonzero(mask[0])
    assert {encoding.to_usi(action, 0) for action in actions.tolist()} == {
        move.to_usi() for move in Board(game.sfen()).legal_moves()
    }


def test_each_row_has_its_own_moves_and_the_earlier_ones_are_gone():
    encoding = action_encoding("flat")
    mask = np.zeros((2, encoding.num_actions), dtype=np.bool_)
    legal = LegalActions(mask, encoding)
    shown(mask, legal, MOST_MOVES, KINGS)
    shown(mask, legal, KINGS, MOST_MOVES)
    assert mask.sum(axis=1).tolist() == [5, 593]
    assert legal.starts.tolist() == [0, 5, 598]
    for row in range(2):
        part = legal.actions[legal.starts[row] : legal.starts[row + 1]]
        assert sorted(part.tolist()) == np.flatnonzero(mask[row]).tolist()


def test_samples_are_legal_and_equally_likely():
    encoding = action_encoding("spatial")
    mask = np.zeros((2, encoding.num_actions), dtype=np.bool_)
    legal = LegalActions(mask, encoding)
    shown(mask, legal, KINGS, MOST_MOVES)
    generator = np.random.default_rng(0)
    samples = np.array([legal.sample(generator) for _ in range(2000)])
    assert all(mask[row, samples[:, row]].all() for row in range(2))
    counts = np.unique(samples[:, 0], return_counts=True)[1]
    assert len(counts) == 5
    assert ((counts - 400) ** 2 / 400).sum() < 18.5  # chi-square of four degrees of freedom, p = 0.001
