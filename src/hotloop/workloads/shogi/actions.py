"""Moves as actions of a policy, from the view of the side that moves, by two encodings.

Both are tables over the packed moves of one side, so that all moves of many positions are encoded by one look-up.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hotloop.workloads.shogi.packed_moves import (
    DROP,
    NUM_PACKED,
    ORIGIN_SHIFT,
    PROMOTION,
    packed_from_usi,
    usi_from_packed,
)
from hotloop.workloads.shogi.pieces import HAND_KINDS
from hotloop.workloads.shogi.shogi_error import ShogiError
from hotloop.workloads.shogi.squares import BLACK, NUM_SQUARES, TO_ENGINE, VIEW, WHITE

NUM_HAND_KINDS = len(HAND_KINDS)
NUM_FLAT = NUM_SQUARES * 80 * 2 + NUM_SQUARES * NUM_HAND_KINDS  # 13,527
NUM_MOVE_TYPES = 8 * 8 * 2 + 4 + NUM_HAND_KINDS  # lines, lines with promotion, jumps of a knight, drops: 139
NUM_SPATIAL = NUM_SQUARES * NUM_MOVE_TYPES  # 11,259
_KNIGHT_TYPES = 128
_DROP_TYPES = 132
# Rows and columns from a square; north is where the side that moves promotes: N NE E SE S SW W NW.
_DIRECTIONS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionEncoding:
    """Actions 0 to `num_actions` - 1 for packed moves, and back.

    `action_of_move` has shape (2, 65536), int32, by side and packed move; `move_of_action` has shape (2, num_actions).
    -1 stands where there is none.
    """

    name: str
    num_actions: int
    action_of_move: NDArray[np.int32]
    move_of_action: NDArray[np.int32]

    def encode(self, moves: NDArray[np.integer], sides: NDArray[np.int64]) -> NDArray[np.int32]:
        """The action of each packed move of the side beside it. Raises ShogiError where a move has none."""
        actions = self.action_of_move[sides, moves]
        if actions.size and int(actions.min()) < 0:
            lost = [usi_from_packed(move) for move in np.asarray(moves)[actions < 0].tolist()]
            raise ShogiError(f"the encoding {self.name!r} has no action for {', '.join(lost)}; report this move")
        return actions

    def decode(self, actions: NDArray[np.int64], sides: NDArray[np.int64]) -> NDArray[np.int32]:
        """The packed move of each action of the side beside it; -1 for actions that leave the board."""
        return self.move_of_action[sides, actions]

    def from_usi(self, usi: str, side: int) -> int:
        """The action of a USI move of `side`. Raises ShogiError where it is no move or has no action."""
        return int(self.encode(np.array([packed_from_usi(usi)], dtype=np.int32), np.array([side]))[0])

    def to_usi(self, action: int, side: int) -> str:
        """The USI move of an action of `side`. Raises ShogiError for what is no action or leaves the board."""
        move = int(self.move_of_action[side, action]) if 0 <= action < self.num_actions else -1
        if move < 0:
            raise ShogiError(
                f"action {action} of {self.num_actions} of the encoding {self.name!r} is no move on the board; "
                "choose one that the mask allows"
            )
        return usi_from_packed(move)


def flat_actions() -> ActionEncoding:
    """13,527 actions: 160 * from + 2 * (to - (to > from)) + promotion, then 12,960 + 7 * to + place in the hand."""
    origin, to, promotion = np.meshgrid(np.arange(NUM_SQUARES), np.arange(NUM_SQUARES), (0, 1), indexing="ij")
    moved = origin != to
    origin, to, promotion = origin[moved], to[moved], promotion[moved]
    board = 160 * origin + 2 * (to - (to > origin)) + promotion
    square, place = _drops()
    return _encoding(
        "flat",
        NUM_FLAT,
        board=(board, origin, to, promotion),
        drops=(NUM_SQUARES * 160 + NUM_HAND_KINDS * square + place, square, place),
    )


def spatial_actions() -> ActionEncoding:
    """11,259 actions: 139 * square + type of move.

    The square is the origin, for drops the destination. Types 0 to 63: 8 * direction + distance - 1, directions N NE E
    SE S SW W NW; 64 to 127 the same with promotion; 128 and 129 a knight to the left and right, 130 and 131 with
    promotion; 132 to 138 drops of P L N S G B R.
    """
    jumps = [
        (8 * d + n - 1, n * rows, n * columns) for d, (rows, columns) in enumerate(_DIRECTIONS) for n in range(1, 9)
    ]
    knights = [(0, -2, -1), (1, -2, 1)]
    steps = [(kind + 64 * p, rows, columns, p) for kind, rows, columns in jumps for p in (0, 1)]
    steps += [(_KNIGHT_TYPES + kind + 2 * p, rows, columns, p) for kind, rows, columns in knights for p in (0, 1)]
    kind, rows, columns, promotion = np.array(steps).T[:, None, :]
    origin = np.arange(NUM_SQUARES)[:, None]
    row, column = origin // 9 + rows, origin % 9 + columns
    on_board = (row >= 0) & (row < 9) & (column >= 0) & (column < 9)
    board = (NUM_MOVE_TYPES * origin + kind, origin, 9 * row + column, promotion)
    square, place = _drops()
    return _encoding(
        "spatial",
        NUM_SPATIAL,
        board=tuple(np.broadcast_to(part, on_board.shape)[on_board] for part in board),
        drops=(NUM_MOVE_TYPES * square + _DROP_TYPES + place, square, place),
    )


ENCODINGS: dict[str, Callable[[], ActionEncoding]] = {"flat": flat_actions, "spatial": spatial_actions}


def action_encoding(name: str) -> ActionEncoding:
    """The encoding `flat` or `spatial`. Raises ShogiError for any other name."""
    if name not in ENCODINGS:
        raise ShogiError(f"there is no action encoding {name!r}; choose one of {', '.join(sorted(ENCODINGS))}")
    return ENCODINGS[name]()


def _drops() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    square, place = np.divmod(np.arange(NUM_SQUARES * NUM_HAND_KINDS), NUM_HAND_KINDS)
    return square, place


def _encoding(
    name: str, num_actions: int, *, board: tuple[NDArray[np.int64], ...], drops: tuple[NDArray[np.int64], ...]
) -> ActionEncoding:
    """The tables of both sides, from actions beside squares as the mover sees them."""
    action_of_move = np.full((2, NUM_PACKED), -1, dtype=np.int32)
    move_of_action = np.full((2, num_actions), -1, dtype=np.int32)
    for side in (BLACK, WHITE):
        action, origin, to, promotion = board
        moved = _packed(TO_ENGINE[VIEW[side, origin]], TO_ENGINE[VIEW[side, to]]) | PROMOTION * promotion
        drop_action, square, place = drops
        dropped = DROP | _packed(HAND_KINDS[place], TO_ENGINE[VIEW[side, square]])
        actions, moves = np.concatenate([action, drop_action]), np.concatenate([moved, dropped])
        action_of_move[side, moves] = actions
        move_of_action[side, actions] = moves
    for table in (action_of_move, move_of_action):
        table.setflags(write=False)
    return ActionEncoding(
        name=name, num_actions=num_actions, action_of_move=action_of_move, move_of_action=move_of_action
    )


def _packed(origin: ArrayLike, to: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(origin) << ORIGIN_SHIFT | np.asarray(to)
