"""How the game of each sample ended, for the side that acted in it."""

import torch
from torch import Tensor

# T steps, N environments

WON, DRAWN, LOST, UNKNOWN = 0, 1, 2, -1


def outcomes(results_TN: Tensor, terminated_TN: Tensor, truncated_TN: Tensor, *, sign: float) -> Tensor:
    """WON, DRAWN or LOST for who acted, int64 (T, N); UNKNOWN where a game was cut off or has not ended yet.

    `results_TN` are those of who acted where a game terminated: above 0 won, below 0 lost. `sign` is -1 where each step
    is by the other side. Nothing is read from the device.
    """
    count = len(results_TN)
    steps_T1 = torch.arange(count, device=results_TN.device).unsqueeze(1)
    ends_TN = steps_T1.where(terminated_TN | truncated_TN, count)
    end_TN = ends_TN.flip(0).cummin(0).values.flip(0)  # the step in which the game of each sample ends
    last_TN = end_TN.clamp(max=count - 1)
    is_other_side_TN = (end_TN - steps_T1) % 2 == 1
    result_TN = results_TN.gather(0, last_TN).sign()
    if sign < 0:
        result_TN = result_TN.where(~is_other_side_TN, -result_TN)
    is_known_TN = (end_TN < count) & terminated_TN.gather(0, last_TN)
    return (DRAWN - result_TN).long().where(is_known_TN, UNKNOWN)
