"""Games of shogi for PPO, in which the policy plays both sides."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from torch import Tensor

from hotloop.option import AtLeast
from hotloop.train.ppo.environment import DiscreteActions, Step
from hotloop.workloads.shogi import GameRecord, ShogiState, VectorShogi, record_from_usi
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.material import MATERIAL_SCALE
from hotloop.workloads.shogi.packed_moves import packed_from_usi

_MANY_REPLIES = 16  # a side in check has fewer as a rule, one that is not has dozens


@dataclass(frozen=True, kw_only=True)
class ShogiConfig:
    """The options of VectorShogi, and what is added to rewards, since at first games are won by chance alone.

    `material_reward` is added for winning material of 76 pawns. `reply_reward` is added for leaving the other side no
    legal move, half of it for leaving 8, and nothing from 16 on: what leads to mate. The result stays worth 1.
    """

    num_envs: Annotated[int, AtLeast(1)] = 16
    seed: int = 0
    actions: Literal["flat", "spatial"] = "flat"
    num_planes: Literal[46, 50] = 46
    max_plies: Annotated[int, AtLeast(1)] = 512
    random_plies: Annotated[int, AtLeast(0)] = 0
    material_reward: Annotated[float, AtLeast(0)] = 0.0
    reply_reward: Annotated[float, AtLeast(0)] = 0.0


class ShogiEnvironment:
    """VectorShogi as PPO asks for it; each step is by the other side. Scores are the mover's material over 76."""

    name: ClassVar[str] = "shogi"
    Config: ClassVar = ShogiConfig
    alternates = True
    has_scores = True

    def __init__(self, config: ShogiConfig) -> None:
        options = asdict(config)
        self._material_reward = options.pop("material_reward") / MATERIAL_SCALE
        self._reply_reward = options.pop("reply_reward")
        self._games = VectorShogi(**options)
        self.num_envs = config.num_envs
        self.observation_shape: tuple[int, ...] = (config.num_planes, 9, 9)
        self.actions = DiscreteActions(num_actions=self._games.num_actions)

    def reset(self) -> tuple[Tensor, Tensor]:
        return self._games.reset()

    def step(self, actions: Tensor) -> Step:
        observations, masks, rewards, terminated, truncated, infos = self._games.step(actions)
        outcomes = rewards
        if self._material_reward:
            rewards = rewards + self._material_reward * infos["material"]
        if self._reply_reward:
            rewards = rewards + self._reply_reward * (1.0 - infos["replies"] / _MANY_REPLIES).clamp(min=0.0)
        more = {
            "final_observations": infos["terminal_observations"],
            "games": infos["games"],
            "outcomes": outcomes,
            "scores": infos["balance"] / MATERIAL_SCALE,
        }
        return observations, masks, rewards, terminated, truncated, more

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        state = self._games.state_dict()
        games = state["games"]
        data = {
            "version": state["version"],
            "settings": state["settings"],
            "starts": games["start_sfens"],
            "random": state["random_state"],
        }
        return data, {"moves": games["moves"], "num_moves": games["num_moves"]}

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        settings = dict(data["settings"])
        if settings["declaration_points"] is not None:
            settings["declaration_points"] = tuple(settings["declaration_points"])  # JSON has lists alone
        games = {"start_sfens": data["starts"], "moves": tensors["moves"], "num_moves": tensors["num_moves"]}
        state = {"version": data["version"], "settings": settings, "games": games, "random_state": data["random"]}
        return self._games.load_state_dict(cast("ShogiState", state))

    def write_game(self, record: GameRecord, path: Path, *, first: str, second: str) -> None:
        """Write `path`.kif and `path`.usi; `first` and `second` are the names of Black and White."""
        replace(record, black=first, white=second).write_kif(path.with_suffix(".kif"))
        path.with_suffix(".usi").write_text(record.usi() + "\n", encoding="utf-8")

    def positions(self, record: GameRecord) -> list[dict[str, str]]:
        """Each position of a game as SFEN, with the move that led to it."""
        game = Game(record_from_usi(record.usi()).start_sfen)
        shown = [{"move": "", "sfen": game.sfen()}]
        for move in record.moves:
            game.play(packed_from_usi(move))
            shown.append({"move": move, "sfen": game.sfen()})
        return shown
