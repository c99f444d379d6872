import pytest
import torch

from hotloop.train.ppo.environment import DiscreteActions
from hotloop.train.ppo.match import play_match


class HigherWins:
    """Games of two moves: first both choose, then the second to move wins where it chose higher, ties are drawn."""

    def __init__(self, num_envs=4, alternates=True):
        self.num_envs, self.observation_shape = num_envs, (1,)
        self.actions, self.alternates = DiscreteActions(num_actions=4), alternates
        self.moves = [[] for _ in range(num_envs)]

    def reset(self):
        return torch.zeros(self.num_envs, 1), torch.ones(self.num_envs, 4, dtype=torch.bool)

    def step(self, actions):
        rewards, done, games = torch.zeros(self.num_envs), torch.zeros(self.num_envs, dtype=torch.bool), {}
        for row, action in enumerate(actions.tolist()):
            self.moves[row].append(action)
            if len(self.moves[row]) == 2:
                first, second = self.moves[row]
                rewards[row] = (second > first) - (second < first)
                done[row], games[row], self.moves[row] = True, (first, second), []
        return *self.reset(), rewards, done, torch.zeros_like(done), {"games": games}


class Always:
    def __init__(self, action):
        self.name, self.action = f"always {action}", action

    def __call__(self, observations, legal):
        return torch.full((len(observations),), self.action)


def test_each_player_is_first_in_half_of_the_games():
    match = play_match(HigherWins(), Always(3), Always(1), games=12)
    assert len(match.games) == 12
    assert sum(game.player_is_first for game in match.games) == 6
    assert {game.record for game in match.games if game.player_is_first} == {(3, 1)}
    assert {(game.first, game.second) for game in match.games if not game.player_is_first} == {("always 1", "always 3")}


def test_scores_are_the_players_whoever_moved_last():
    won = play_match(HigherWins(), Always(3), Always(1), games=4)
    assert (won.score(), won.score(first=True), won.score(first=False), won.share(1.0)) == (1.0, 1.0, 1.0, 1.0)
    assert play_match(HigherWins(), Always(1), Always(3), games=4).score() == 0.0
    drawn = play_match(HigherWins(), Always(2), Always(2), games=4)
    assert (drawn.score(), drawn.share(0.5)) == (0.5, 1.0)


@pytest.mark.parametrize(("environment", "games"), [(HigherWins(3), 6), (HigherWins(4), 6), (HigherWins(4, False), 4)])
def test_a_match_that_cannot_be_shared_out_is_refused(environment, games):
    with pytest.raises(ValueError, match="a match needs games of two"):
        play_match(environment, Always(1), Always(2), games=games)
