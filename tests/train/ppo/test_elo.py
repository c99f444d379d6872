import pytest

from hotloop.train.ppo.elo import EloTable, expected_score


def test_four_hundred_points_are_ten_to_one():
    assert expected_score(1900.0, 1500.0) == pytest.approx(10 / 11)
    assert expected_score(1500.0, 1500.0) == 0.5


def test_a_win_between_equals_moves_half_of_k_and_nothing_is_lost():
    table = EloTable()
    table.add("a", "b", 1.0)
    assert table.ratings == {"a": 1516.0, "b": 1484.0}
    table.add("b", "a", 0.5)
    assert sum(table.ratings.values()) == pytest.approx(3000.0)
    assert table.ratings["b"] > 1484.0
