"""Games begin with as many random moves as were asked for, and never over."""

import numpy as np

from hotloop.workloads.shogi.ending import EndRules
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.openings import games_over, opened_game

RULES = EndRules(max_plies=512, declaration_points=(28, 27))


def test_no_random_moves_lead_to_the_usual_start_and_draw_no_number():
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    assert opened_game(0, generator, RULES).sfen() == INITIAL_SFEN
    assert generator.bit_generator.state == before


def test_all_numbers_of_moves_come_and_the_same_seed_gives_the_same():
    first, second = ([opened_game(4, generator, RULES) for _ in range(60)] for generator in map(seeded, (1, 1)))
    assert {len(game.moves) for game in first} == {0, 1, 2, 3, 4}
    assert [game.moves for game in first] == [game.moves for game in second]
    assert first[0].start_sfen == INITIAL_SFEN


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_games_that_are_over_are_told_with_their_reason():
    mated = Game("8k/8G/8P/9/9/9/9/9/4K4 w - 9")
    assert games_over([Game(INITIAL_SFEN), mated], RULES) == [f"'{mated.sfen()}' (checkmate)"]


def test_long_openings_are_drawn_until_the_game_goes_on():
    rules = EndRules(max_plies=512, declaration_points=None)
    games = [opened_game(300, generator, rules) for generator in map(seeded, range(6))]
    assert games_over(games, rules) == []
    assert all(game.legal for game in games)
