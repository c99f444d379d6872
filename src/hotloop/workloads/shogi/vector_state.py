"""The settings of many games side by side, and all that their next steps depend on."""

import json
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.planes import PLANE_COUNTS
from hotloop.workloads.shogi.saved_games import SavedGames, load_games, save_games
from hotloop.workloads.shogi.shogi_error import ShogiError

_VERSION = 1


class VectorSettings(TypedDict):
    """What a VectorShogi was made with, the seed apart."""

    num_envs: int
    actions: str
    num_planes: int
    max_plies: int
    random_plies: int
    declaration_points: tuple[int, int] | None


class ShogiState(TypedDict):
    """What `VectorShogi.state_dict` holds; `random_state` is JSON."""

    version: int
    settings: VectorSettings
    games: SavedGames
    random_state: str


def check_settings(settings: VectorSettings) -> None:
    """Raise ShogiError where games cannot be played so."""
    if settings["num_envs"] < 1:
        raise ShogiError(f"got {settings['num_envs']} games; ask for at least one")
    if settings["num_planes"] not in PLANE_COUNTS:
        raise ShogiError(f"got {settings['num_planes']} planes; choose one of {', '.join(map(str, PLANE_COUNTS))}")
    if not 0 <= settings["random_plies"] < settings["max_plies"]:
        raise ShogiError(
            f"got {settings['random_plies']} random plies in games of at most {settings['max_plies']}; "
            "ask for none or more, and fewer than a game has"
        )
    points = settings["declaration_points"]
    if points is not None and min(points) < 1:
        raise ShogiError(f"got {points} points for a declaration; ask for at least one of each side, or give None")


def save_state(settings: VectorSettings, games: Sequence[Game], generator: np.random.Generator) -> ShogiState:
    """The state of these games, played under these settings by these random numbers."""
    return ShogiState(
        version=_VERSION,
        settings=settings,
        games=save_games(games),
        random_state=json.dumps(generator.bit_generator.state),
    )


def load_state(state: ShogiState, settings: VectorSettings) -> tuple[list[Game], np.random.Generator]:
    """The games and random numbers of a state. Raises ShogiError for other settings, versions, and damaged states."""
    if state.get("version") != _VERSION:
        raise ShogiError(f"got a state of version {state.get('version')!r}; load one of version {_VERSION}")
    others = [name for name, value in settings.items() if state["settings"].get(name) != value]
    if others:
        raise ShogiError(f"the saved games were played with another {', '.join(others)}: make these settings equal")
    generator = np.random.default_rng()
    try:
        generator.bit_generator.state = json.loads(state["random_state"])
    except (ValueError, TypeError, KeyError) as error:
        raise ShogiError(f"the saved random state is damaged ({error}); load another checkpoint") from error
    return load_games(state["games"]), generator
