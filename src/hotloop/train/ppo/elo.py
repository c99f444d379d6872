"""Elo ratings."""


def expected_score(rating: float, other: float) -> float:
    """The score in [0, 1] that a player of this rating is expected to make against the other."""
    return 1.0 / (1.0 + 10.0 ** ((other - rating) / 400.0))


class EloTable:
    """Ratings that follow from games one after another; everybody begins at `start`, a game moves `k` at most.

    Source: Elo 1978, The Rating of Chessplayers, chapter 1.
    """

    def __init__(self, *, start: float = 1500.0, k: float = 32.0) -> None:
        self._start, self._k = start, k
        self.ratings: dict[str, float] = {}

    def add(self, player: str, opponent: str, score: float) -> None:
        """Take in a game: 1 won by `player`, 0.5 drawn, 0 lost."""
        mine, theirs = (self.ratings.setdefault(name, self._start) for name in (player, opponent))
        change = self._k * (score - expected_score(mine, theirs))
        self.ratings[player], self.ratings[opponent] = mine + change, theirs - change
