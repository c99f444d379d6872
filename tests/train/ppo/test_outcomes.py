import torch
from hypothesis import given
from hypothesis import strategies as st

from hotloop.train.ppo.outcomes import DRAWN, LOST, UNKNOWN, WON, outcomes


def by_hand(results, terminated, truncated, sign):
    """Each game backwards, from its end."""
    made, known = [UNKNOWN] * len(results), None
    for step in reversed(range(len(results))):
        if truncated[step]:
            known = None
        elif terminated[step]:
            known = results[step]
        elif known is not None:
            known *= sign
        made[step] = UNKNOWN if known is None else WON if known > 0 else LOST if known < 0 else DRAWN
    return made


def test_the_sides_of_a_game_see_its_end_from_their_own_view():
    results = torch.tensor([[0.0], [0.0], [1.0], [0.0], [0.0]])
    terminated = torch.tensor([[False], [False], [True], [False], [False]])
    found = outcomes(results, terminated, torch.zeros_like(terminated), sign=-1.0)
    assert found.flatten().tolist() == [WON, LOST, WON, UNKNOWN, UNKNOWN]


@given(data=st.data(), steps=st.integers(1, 12), sign=st.sampled_from([1.0, -1.0]))
def test_it_is_what_going_backwards_gives(data, steps, sign):
    ends = data.draw(st.lists(st.sampled_from(["on", "ended", "cut"]), min_size=steps, max_size=steps))
    values = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=steps, max_size=steps))
    terminated, truncated = [end == "ended" for end in ends], [end == "cut" for end in ends]
    found = outcomes(*(torch.tensor(column).unsqueeze(1) for column in (values, terminated, truncated)), sign=sign)
    assert found.flatten().tolist() == by_hand(values, terminated, truncated, sign)
