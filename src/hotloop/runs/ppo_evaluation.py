"""What a trained policy is worth: returns of whole episodes, or matches against a random mover and its earlier self."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from hotloop.compile.precision import half_dtype
from hotloop.models.policy.network_call import NetworkCall
from hotloop.runs.folder import RunFolder
from hotloop.runs.ppo_config import PPORunConfig
from hotloop.runs.ppo_parts import build_environment, build_model
from hotloop.runs.ppo_recorder import all_kept
from hotloop.runs.weights import read_weights
from hotloop.train.ppo.elo import EloTable
from hotloop.train.ppo.environment import VectorEnvironment
from hotloop.train.ppo.evaluate import episode_returns
from hotloop.train.ppo.match import Match, play_match
from hotloop.train.ppo.players import NetworkPlayer, Player, RandomPlayer

_SEED_OF_EVALUATION = 1_000_003  # far from the seeds of training, one for each environment there
_MOST_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class PolicyEvaluation:
    """`figures` for metrics.json, and the positions of one game for the page."""

    figures: dict[str, Any]
    replay: dict[str, Any] | None = None


def evaluate_policy(config: PPORunConfig, model: nn.Module, folder: RunFolder) -> PolicyEvaluation:
    """The figures of a trained model; in games of two, written games lie in the folder `games`."""
    asked = config.evaluation
    call = NetworkCall(half_dtype(config.ppo.amp, next(model.parameters()).device))
    trained = NetworkPlayer("trained", model, call, deterministic=asked.deterministic)
    seed = config.seed + _SEED_OF_EVALUATION
    probe = build_environment(config, seed=seed, num_envs=1)
    if not probe.alternates:
        if not asked.episodes:
            return PolicyEvaluation(figures={})
        environment = build_environment(config, seed=seed, num_envs=min(asked.episodes, 8))
        returns = episode_returns(environment, trained, episodes=asked.episodes)
        return PolicyEvaluation(
            figures={
                "episodes": len(returns),
                "episode_return": statistics.fmean(returns),
                "episode_return_std": statistics.pstdev(returns),
                "episode_return_min": min(returns),
            }
        )
    if not asked.games:
        return PolicyEvaluation(figures={})
    games = 2 * -(-asked.games // 2)
    slots = max(size for size in range(2, min(games, _MOST_AT_ONCE) + 1, 2) if games % size == 0)
    environment = build_environment(config, seed=seed, num_envs=slots)
    opponents = [RandomPlayer(seed), *_earlier(config, probe, folder, call, next(model.parameters()).device)]
    matches = [play_match(environment, trained, opponent, games=games) for opponent in opponents]
    return PolicyEvaluation(
        figures={"matches": [_figures(match) for match in matches], "elo": _ratings(matches)},
        replay=_write_games(environment, matches, folder, asked.written_games),
    )


def _earlier(
    config: PPORunConfig, probe: VectorEnvironment, folder: RunFolder, call: NetworkCall, device: Any
) -> list[Player]:
    last = config.ppo.num_updates(build_environment(config).num_envs)
    kept = [(update, path) for update, path in all_kept(folder) if update < last]
    kept = kept[-config.evaluation.opponents :] if config.evaluation.opponents else []
    players: list[Player] = []
    for update, path in kept:
        earlier = build_model(config.model, probe, seed=config.seed).to(device)
        read_weights(path, earlier)
        players.append(NetworkPlayer(f"update {update}", earlier, call))
    return players


def _figures(match: Match) -> dict[str, Any]:
    from scipy.stats import binomtest

    wins = sum(game.score == 1.0 for game in match.games)
    interval = binomtest(wins, len(match.games)).proportion_ci(0.95, method="wilson")
    return {
        "opponent": match.opponent,
        "games": len(match.games),
        "wins": match.share(1.0),
        "wins_low": float(interval.low),
        "wins_high": float(interval.high),
        "draws": match.share(0.5),
        "losses": match.share(0.0),
        "score": match.score(),
        "score_first": match.score(first=True),
        "score_second": match.score(first=False),
    }


def _ratings(matches: list[Match]) -> dict[str, float]:
    table = EloTable()
    for match in matches:
        for game in match.games:
            table.add(match.player, match.opponent, game.score)
    return table.ratings


def _write_games(
    environment: VectorEnvironment, matches: list[Match], folder: RunFolder, count: int
) -> dict[str, Any] | None:
    """Write games by the environment's own `write_game`; the positions of the first, where it has `positions`."""
    write, positions = getattr(environment, "write_game", None), getattr(environment, "positions", None)
    if write is None or not count:
        return None
    home = folder.path / "games"
    home.mkdir(exist_ok=True)
    for match in matches:
        for index, game in enumerate(match.games[:count], start=1):
            name = f"{match.player}-{match.opponent}-{index:03d}".replace(" ", "_")
            write(game.record, home / name, first=game.first, second=game.second)
    if positions is None:
        return None
    shown = matches[0].games[0]
    return {**asdict(shown), "record": None, "positions": positions(shown.record)}
