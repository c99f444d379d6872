"""How many episodes make an update, and how many updates an epoch."""

from dataclasses import dataclass

from hotloop.train.callers import warn
from hotloop.train.episodes.options import EpisodicOptions

_DEFAULT_EPISODES = 32  # of the compatible schedule: 32 updates of one episode


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What one epoch is: `episodes` windows of `window` steps, in batches of `batch`, the last possibly smaller."""

    window: int
    batch: int
    episodes: int

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return -(-self.episodes // self.batch)


def resolve(options: EpisodicOptions, num_steps: int) -> Schedule:
    """The schedule for a series of `num_steps` steps.

    Where no window but the whole series fits, all episodes are equal: an epoch is one update of one episode, or the
    `updates_per_epoch` that were asked for; a warning says so where that changes what was asked.
    Raises ValueError for an empty series.
    """
    if num_steps < 1:
        raise ValueError("the series has no steps; at least 1 is needed: give an array of shape (N, features)")
    if num_steps <= options.window:
        return _whole_series(options, num_steps)
    asked = options.batch_episodes or _DEFAULT_EPISODES
    if options.updates_per_epoch is None:
        if options.batch_episodes is not None and options.batch_episodes > 1 and options.episode_batch_size is None:
            warn(
                f"batch_episodes={asked} without updates_per_epoch makes {asked} updates of one episode each epoch; "
                f"give updates_per_epoch for batches of {asked} episodes, or episode_batch_size to split them"
            )
        return Schedule(window=options.window, batch=min(options.episode_batch_size or 1, asked), episodes=asked)
    batch = options.episode_batch_size or asked
    return Schedule(window=options.window, batch=batch, episodes=batch * options.updates_per_epoch)


def _whole_series(options: EpisodicOptions, num_steps: int) -> Schedule:
    updates = options.updates_per_epoch or 1
    if num_steps < options.window or options.batch_episodes is not None:
        warn(
            f"the series has {num_steps} steps and the window {options.window}: every episode is the whole series, so "
            f"an epoch is {updates} update(s) of one episode; give a longer series or a shorter window"
        )
    return Schedule(window=num_steps, batch=1, episodes=updates)
