"""Losses of order within a day: correlation (IC), soft ranks, ListNet; means over days, one a horizon.

N samples, D days, H horizons, M places of the largest day.
"""

from torch import Tensor

from hotloop.train.losses.day_groups import DayGroups

EPSILON = 1e-8


def information_coefficient(point_NH: Tensor, target_NH: Tensor, days: DayGroups) -> Tensor:
    """1 less the Pearson correlation of forecast and target over the stocks of a day, (H,)."""
    return days.over_days(1.0 - correlations(point_NH, target_NH, days))


def soft_rank(point_NH: Tensor, target_NH: Tensor, days: DayGroups, *, temperature: float = 0.1) -> Tensor:
    """1 less the correlation of soft ranks of the forecast with ranks of the target, (H,).

    The soft rank of a stock is the sum over the others of sigmoid((p - p') / (temperature * deviation of the day)):
    Qin, Liu and Li 2010. Takes days x largest^2 x H numbers.
    """
    segments = days.segments
    deviation_DH = (days.mean(days.centred(point_NH).square()) + EPSILON).sqrt()
    places_N = segments.places()
    values_DMH = segments.padded(days.centred(point_NH), places_N, days.largest, fill=0.0)
    weight_DMH = segments.padded(days.weight_NH, places_N, days.largest, fill=0.0)
    difference_DMMH = values_DMH.unsqueeze(2) - values_DMH.unsqueeze(1)
    above_DMMH = (difference_DMMH / (temperature * deviation_DH[:, None, None])).sigmoid()
    soft_NH = segments.unpadded((above_DMMH * weight_DMH.unsqueeze(1)).sum(2), places_N)
    ranks_NH = segments.ranks(target_NH, days.valid_NH)
    return days.over_days(1.0 - correlations(soft_NH, ranks_NH, days))


def listnet(point_NH: Tensor, target_NH: Tensor, days: DayGroups, *, temperature: float = 0.5) -> Tensor:
    """Cross entropy of the softmax of targets, standardised by day, and of forecasts, (H,). Cao et al. 2007."""
    centred_NH = days.centred(target_NH)
    deviation_DH = (days.mean(centred_NH.square()) + EPSILON).sqrt()
    wanted_NH = centred_NH / days.segments.spread(deviation_DH)
    wanted_NH = days.segments.softmax(wanted_NH / temperature, days.valid_NH)
    given_NH = days.segments.log_softmax(point_NH / temperature, days.valid_NH)
    return days.over_days(-days.sum(wanted_NH * given_NH))


def correlations(first_NH: Tensor, second_NH: Tensor, days: DayGroups) -> Tensor:
    """The Pearson correlation of each day, (D, H); near 0 where one of both is constant."""
    first_NH, second_NH = days.centred(first_NH), days.centred(second_NH)
    squares_DH = days.mean(first_NH.square()) * days.mean(second_NH.square())
    return days.mean(first_NH * second_NH) / (squares_DH + EPSILON).sqrt()
