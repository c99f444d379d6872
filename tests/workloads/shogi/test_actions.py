"""Both encodings: their formulas, every legal move there and back, and no move lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rsshogi.core import Move

from hotloop.workloads.shogi import ShogiError, VectorShogi, action_encoding
from hotloop.workloads.shogi.actions import ENCODINGS, ActionEncoding
from hotloop.workloads.shogi.engine import INITIAL_SFEN
from hotloop.workloads.shogi.packed_moves import packed_from_usi
from hotloop.workloads.shogi.squares import BLACK, NAMES, WHITE

NAMES_OF_ENCODINGS = sorted(ENCODINGS)
ALL = {name: action_encoding(name) for name in NAMES_OF_ENCODINGS}


@pytest.mark.parametrize(("name", "num_actions"), [("flat", 13_527), ("spatial", 11_259)])
def test_the_number_of_actions_is_that_of_the_source(name, num_actions):
    assert ALL[name].num_actions == num_actions


@pytest.mark.parametrize(
    ("name", "usi", "side", "action"),
    [
        # from 56 (7g), to 47 (7f): below the origin, so not shifted
        ("flat", "7g7f", BLACK, 56 * 160 + 47 * 2),
        # from 70 (2h: row 7, column 7) to 16 (2b) with promotion
        ("flat", "2h2b+", BLACK, 70 * 160 + 16 * 2 + 1),
        # to 58 (5g) lies above from 40 (5e): shifted by one
        ("flat", "5e5g", BLACK, 40 * 160 + 57 * 2),
        ("flat", "P*5e", BLACK, 12_960 + 40 * 7),
        ("flat", "R*9a", BLACK, 12_960 + 6),
        ("flat", "G*1i", WHITE, 12_960 + 4),  # White's 1i is its own 9a
        ("flat", "3c3d", WHITE, 56 * 160 + 47 * 2),  # the same as 7g7f of Black
        ("spatial", "7g7f", BLACK, 56 * 139),  # north, one square
        ("spatial", "2h2b+", BLACK, 70 * 139 + 64 + 5),  # north, six squares
        ("spatial", "8h2b", BLACK, 64 * 139 + 8 + 5),  # north-east, six
        ("spatial", "5e1e", BLACK, 40 * 139 + 16 + 3),  # east, four
        ("spatial", "5e9i+", BLACK, 40 * 139 + 64 + 40 + 3),  # south-west, four
        ("spatial", "5e6d", BLACK, 40 * 139 + 56),  # north-west
        ("spatial", "5e9a+", BLACK, 40 * 139 + 64 + 56 + 3),
        ("spatial", "2i3g", BLACK, 79 * 139 + 128),  # a knight to the left
        ("spatial", "2i1g", BLACK, 79 * 139 + 129),
        ("spatial", "5e6c+", BLACK, 40 * 139 + 130),
        ("spatial", "5e4c+", BLACK, 40 * 139 + 131),
        ("spatial", "P*5e", BLACK, 40 * 139 + 132),
        ("spatial", "R*9a", BLACK, 138),
        ("spatial", "2a1c", WHITE, 73 * 139 + 128),  # White's left is file 1; 2a is its 8i
    ],
)
def test_an_action_is_what_the_formula_says(name, usi, side, action):
    assert ALL[name].from_usi(usi, side) == action
    assert ALL[name].to_usi(action, side) == usi


@pytest.mark.parametrize("side", [BLACK, WHITE])
def test_the_flat_encoding_is_one_to_one_over_all_moves_on_the_board(side):
    encoding = ALL["flat"]
    moves = encoding.move_of_action[side]
    assert moves.min() >= 0
    assert np.array_equal(encoding.encode(moves, np.full(len(moves), side)), np.arange(len(moves)))
    assert np.count_nonzero(encoding.action_of_move[side] >= 0) == encoding.num_actions


@pytest.mark.parametrize("side", [BLACK, WHITE])
def test_the_spatial_encoding_is_one_to_one_over_queen_lines_knights_and_drops(side):
    encoding = ALL["spatial"]
    actions = np.flatnonzero(encoding.move_of_action[side] >= 0)
    moves = encoding.decode(actions, np.full(len(actions), side))
    assert np.array_equal(encoding.encode(moves, np.full(len(moves), side)), actions)
    assert len(actions) == np.count_nonzero(encoding.action_of_move[side] >= 0)


@given(st.permutations(NAMES).map(lambda names: names[:2]), st.sampled_from(["", "+"]))
def test_white_has_the_action_of_black_on_the_turned_board(squares, promotion):
    origin, to = squares
    turned = "".join(NAMES[80 - NAMES.index(square)] for square in (origin, to)) + promotion
    encoding = ALL["flat"]
    assert encoding.from_usi(origin + to + promotion, BLACK) == encoding.from_usi(turned, WHITE)


@pytest.mark.parametrize("usi", ["5e4g", "5e3b", "5e1b"])  # a knight to the rear, and what is no line
def test_a_move_that_no_piece_makes_has_no_spatial_action(usi):
    with pytest.raises(ShogiError, match=f"the encoding 'spatial' has no action for {usi}"):
        ALL["spatial"].from_usi(usi, BLACK)


@pytest.mark.parametrize("action", [-1, 11_259, 7])  # the last one leaves the board from 9a to the north
def test_an_action_that_is_no_move_is_refused(action):
    with pytest.raises(ShogiError, match=f"action {action} of 11259"):
        ALL["spatial"].to_usi(action, BLACK)


def test_an_unknown_encoding_is_refused_by_name():
    with pytest.raises(ShogiError, match="there is no action encoding 'keisei'; choose one of flat, spatial"):
        action_encoding("keisei")


def round_trips(games, encoding: ActionEncoding) -> int:
    """How many legal moves came back as themselves; fails at the first that does not."""
    count = 0
    for game in games:
        moves = np.array(game.legal, dtype=np.int32)
        sides = np.full(len(moves), game.side)
        actions = encoding.encode(moves, sides)
        assert np.array_equal(encoding.decode(actions, sides), moves)
        assert len(set(actions.tolist())) == len(moves)
        for action, move in zip(actions.tolist(), game.legal, strict=True):
            usi = encoding.to_usi(action, game.side)
            assert usi == Move(move).to_usi()
            assert encoding.from_usi(usi, game.side) == action
            assert packed_from_usi(usi) == move
            count += 1
    return count


@pytest.mark.parametrize("name", NAMES_OF_ENCODINGS)
def test_every_legal_move_of_300_positions_comes_back(name, played_games):
    assert round_trips(played_games(300), ALL[name]) > 300 * 30


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES_OF_ENCODINGS)
def test_every_legal_move_of_10_000_positions_comes_back(name, played_games):
    assert round_trips(played_games(10_000, seed=1), ALL[name]) > 10_000 * 30


def perft(name: str, depth: int, chunk: int = 300) -> list[int]:
    """Positions after 1, 2, ... moves, counted by the masks and reached by the actions of the environment."""
    sfens, counts = [INITIAL_SFEN], []
    env = VectorShogi(chunk, actions=name)
    for level in range(depth):
        pairs, total = [], 0
        for start in range(0, len(sfens), chunk):
            part = sfens[start : start + chunk]
            masks = env.from_sfen(part + [INITIAL_SFEN] * (chunk - len(part)))[1][: len(part)]
            total += int(masks.sum())
            if level < depth - 1:
                pairs += [(part[row], action) for row, action in masks.nonzero().tolist()]
        counts.append(total)
        sfens = list(after(env, pairs, chunk))
    return counts


def after(env: VectorShogi, pairs: list[tuple[str, int]], chunk: int):
    """The position after each action."""
    for start in range(0, len(pairs), chunk):
        part = pairs[start : start + chunk]
        masks = env.from_sfen([sfen for sfen, _ in part] + [INITIAL_SFEN] * (chunk - len(part)))[1]
        spare = [int(action) for action in masks[len(part) :].to(int).argmax(dim=1)]
        env.step([action for _, action in part] + spare)
        yield from (env.sfen(row) for row in range(len(part)))


@pytest.mark.parametrize("name", NAMES_OF_ENCODINGS)
def test_perft_from_the_start(name):
    assert perft(name, 3) == [30, 900, 25_470]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES_OF_ENCODINGS)
def test_perft_from_the_start_to_depth_4(name):
    assert perft(name, 4) == [30, 900, 25_470, 719_731]
