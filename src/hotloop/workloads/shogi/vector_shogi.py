"""Many games of shogi side by side, for a policy that plays both sides of each."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.workloads.shogi.actions import action_encoding
from hotloop.workloads.shogi.declaration import POINTS_NEEDED
from hotloop.workloads.shogi.ending import Endings, EndReason, EndRules
from hotloop.workloads.shogi.game import Game
from hotloop.workloads.shogi.game_record import GameRecord, record_from_usi, record_of
from hotloop.workloads.shogi.legal_actions import LegalActions
from hotloop.workloads.shogi.material import material_balance
from hotloop.workloads.shogi.openings import games_over, opened_game
from hotloop.workloads.shogi.planes import PlaneWriter
from hotloop.workloads.shogi.positions import Positions
from hotloop.workloads.shogi.shogi_error import IllegalAction, ShogiError
from hotloop.workloads.shogi.shogi_infos import ShogiInfos
from hotloop.workloads.shogi.squares import NUM_SQUARES
from hotloop.workloads.shogi.vector_state import ShogiState, VectorSettings, check_settings, load_state, save_state

Step = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, ShogiInfos]


class VectorShogi:
    """N games; every step plays one move in each, and a game that has ended begins anew.

    Observations are float32 of shape (N, 46 or 50, 9, 9), masks bool of shape (N, num_actions); both from the view of
    the side to move. They are the same tensors at every call, on the CPU, pinned where there is CUDA: the next call
    writes over them, so copy what is to be kept. The same seed and actions give the same games.
    """

    def __init__(
        self,
        num_envs: int,
        seed: int = 0,
        *,
        actions: str = "flat",
        num_planes: int = 46,
        max_plies: int = 512,
        random_plies: int = 0,
        declaration_points: tuple[int, int] | None = POINTS_NEEDED,
    ) -> None:
        """`actions` is flat (13,527) or spatial (11,259); `max_plies` moves cut a game off.

        Each game begins with up to `random_plies` random moves, which count as its moves. `declaration_points` are what
        Black and White need to win by declaration; None leaves that rule out. Raises ShogiError for other values, and
        where rsshogi is not installed.
        """
        self._encoding = action_encoding(actions)
        self._settings = VectorSettings(
            num_envs=num_envs,
            actions=actions,
            num_planes=num_planes,
            max_plies=max_plies,
            random_plies=random_plies,
            declaration_points=declaration_points,
        )
        check_settings(self._settings)
        self._rules = EndRules(max_plies=max_plies, declaration_points=declaration_points)
        self._generator = np.random.default_rng(seed)
        self.num_envs = num_envs
        self.num_actions = self._encoding.num_actions
        pinned = torch.cuda.is_available()
        self.observations = torch.zeros(num_envs, num_planes, 9, 9, pin_memory=pinned)
        self.masks = torch.zeros(num_envs, self.num_actions, dtype=torch.bool, pin_memory=pinned)
        self._terminal_observations = torch.zeros(num_envs, num_planes, 9, 9, pin_memory=pinned)
        self._planes, self._terminal_planes = (
            PlaneWriter(tensor.view(num_envs, num_planes, NUM_SQUARES).numpy())
            for tensor in (self.observations, self._terminal_observations)
        )
        self._mask_rows: NDArray[np.bool_] = self.masks.numpy()
        self._all_rows = np.arange(num_envs)
        self._positions = Positions(self._opened() for _ in range(num_envs))
        self.legal = LegalActions(self._mask_rows, self._encoding)
        self._shown()

    def reset(self) -> tuple[Tensor, Tensor]:
        """Begin every game anew; observations and masks. The random numbers go on where they were."""
        for row in range(self.num_envs):
            self._positions.put(row, self._opened())
        return self._shown()

    def from_sfen(self, sfens: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Go on from these positions, one for each game; observations and masks.

        A game that ends begins anew from the usual start. Raises ShogiError for another number of positions, and for
        positions that break the rules or in which the game is over; then nothing has changed.
        """
        return self._taken_up([Game(sfen) for sfen in sfens])

    def from_usi(self, lines: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Go on from these games, `position startpos moves ...`, with all that has stood in them; as `from_sfen`."""
        return self._taken_up([record_from_usi(line).game() for line in lines])

    def step(self, actions: Tensor | NDArray[np.int64] | Sequence[int]) -> Step:
        """Play one action in every game: observations, masks, rewards, terminated, truncated, infos.

        Rewards, float32 of shape (N,), are those of the side that moved: 1 won, -1 lost, 0 else. `terminated` games
        have ended by the rules, `truncated` ones were cut off at `max_plies`; both begin anew, and the observations and
        masks are those of the next game. Raises IllegalAction where any action is not legal; then no game has moved.
        """
        chosen = self._checked(actions)
        positions = self._positions
        movers = positions.arrays.sides.copy()
        views = 1 - 2 * movers
        balance = material_balance(positions.arrays) * views
        positions.play(self._encoding.decode(chosen, movers))
        won = material_balance(positions.arrays) * views - balance
        endings = self._rules.judge(positions)
        plies, replies = positions.plies.copy(), positions.num_legal.copy()
        ended = np.flatnonzero(endings.reasons)
        games = self._begun_anew(ended, endings)
        observations, masks = self._shown()
        truncated = endings.reasons == EndReason.MAX_PLIES
        terminated = (endings.reasons != EndReason.ONGOING) & ~truncated
        rewards = np.where(endings.winners < 0, 0.0, np.where(endings.winners == movers, 1.0, -1.0))
        infos = ShogiInfos(
            terminal_observations=self._terminal_observations,
            terminal_side_to_move=_int8(1 - movers),
            movers=_int8(movers),
            side_to_move=_int8(positions.arrays.sides),
            material=torch.from_numpy(won.astype(np.float32)),
            balance=torch.from_numpy(balance.astype(np.float32)),
            reasons=torch.from_numpy(endings.reasons),
            winners=torch.from_numpy(endings.winners),
            plies=torch.from_numpy(plies),
            replies=torch.from_numpy(replies),
            games=games,
        )
        return (
            observations,
            masks,
            torch.from_numpy(rewards.astype(np.float32)),
            torch.from_numpy(terminated),
            torch.from_numpy(truncated),
            infos,
        )

    def random_actions(self) -> Tensor:
        """A legal action of each game, all equally likely, int64 of shape (N,), by the random numbers of the games."""
        return torch.from_numpy(self.legal.sample(self._generator))

    def sfen(self, index: int) -> str:
        """The position that stands in a game."""
        return self._positions.games[index].sfen()

    def record(self, index: int) -> GameRecord:
        """A game as far as it has been played."""
        return record_of(self._positions.games[index])

    def action_from_usi(self, index: int, usi: str) -> int:
        """The action that plays a USI move in a game, legal or not. Raises ShogiError where it is no move."""
        return self._encoding.from_usi(usi, self._positions.games[index].side)

    def action_to_usi(self, index: int, action: int) -> str:
        """The USI move that an action is in a game. Raises ShogiError where it is none."""
        return self._encoding.to_usi(action, self._positions.games[index].side)

    def state_dict(self) -> ShogiState:
        """All that the next steps depend on, in tensors, text and numbers, safe to load with `weights_only=True`.

        Positions are kept as starts and moves, so that what has stood before is kept too.
        """
        return save_state(self._settings, self._positions.games, self._generator)

    def load_state_dict(self, state: ShogiState) -> tuple[Tensor, Tensor]:
        """Go on exactly where `state` was taken; observations and masks.

        Raises ShogiError where it is of another version or other settings, or damaged; then nothing has changed.
        """
        games, generator = load_state(state, self._settings)
        shown = self._taken_up(games)
        self._generator = generator
        return shown

    def _checked(self, actions: Tensor | NDArray[np.int64] | Sequence[int]) -> NDArray[np.int64]:
        given = actions.cpu().numpy() if isinstance(actions, Tensor) else np.asarray(actions)
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            raise ShogiError(
                f"got actions of shape {given.shape} and type {given.dtype}; "
                f"give {self.num_envs} whole numbers, one for each game"
            )
        chosen = given.astype(np.int64)
        inside = (chosen >= 0) & (chosen < self.num_actions)
        legal = inside & self._mask_rows[self._all_rows, np.where(inside, chosen, 0)]
        if not legal.all():
            row = int(np.flatnonzero(~legal)[0])
            raise IllegalAction(
                f"action {int(chosen[row])} of game {row} is not legal in {self.sfen(row)!r}; {int((~legal).sum())} "
                f"of {self.num_envs} actions are not: choose what the mask allows. No game has moved"
            )
        return chosen

    def _begun_anew(self, ended: NDArray[np.int64], endings: Endings) -> dict[int, GameRecord]:
        games: dict[int, GameRecord] = {}
        if not len(ended):
            return games
        self._write(self._terminal_planes, ended)
        for row in ended.tolist():
            reason, winner = EndReason(int(endings.reasons[row])), int(endings.winners[row])
            games[row] = record_of(self._positions.games[row], reason=reason, winner=winner)
            self._positions.put(row, self._opened())
        return games

    def _opened(self) -> Game:
        return opened_game(self._settings["random_plies"], self._generator, self._rules)

    def _taken_up(self, games: Sequence[Game]) -> tuple[Tensor, Tensor]:
        if len(games) != self.num_envs:
            raise ShogiError(f"got {len(games)} positions for {self.num_envs} games; give one for each")
        over = games_over(games, self._rules)
        if over:
            raise ShogiError(f"the game is over in {', '.join(over)}; give positions in which it goes on")
        for row, game in enumerate(games):
            self._positions.put(row, game)
        return self._shown()

    def _shown(self) -> tuple[Tensor, Tensor]:
        positions = self._positions
        self._write(self._planes, slice(None))
        self.legal.write(positions.games, positions.arrays.sides, positions.num_legal)
        return self.observations, self.masks

    def _write(self, planes: PlaneWriter, rows: NDArray[np.int64] | slice) -> None:
        positions = self._positions
        planes.write(
            positions.arrays,
            rows,
            move_numbers=positions.move_numbers,
            occurrences=positions.occurrences,
            in_check=positions.in_check,
        )


def _int8(values: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(values.astype(np.int8))
