"""The governor: sees that training went wrong, by what was read anyway."""

import math
import statistics
from collections import deque
from typing import Any

from hotloop.workloads.growth.growth_options import GovernorOptions


class Governor:
    """Judges each epoch; keeps the validation losses of the last good ones."""

    def __init__(self, options: GovernorOptions, *, chance_loss: float) -> None:
        self._options, self._chance_loss = options, chance_loss
        self._losses: deque[float] = deque(maxlen=options.window)
        self._best = math.inf
        self._strikes = 0

    def complaint(self, train_loss: float, validation_loss: float) -> str | None:
        """Why this epoch must be undone; None where it may stand."""
        options = self._options
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            return f"the losses were {train_loss:.4g} in training and {validation_loss:.4g} in validation"
        if self._best < 0.5 * self._chance_loss and validation_loss >= options.chance_share * self._chance_loss:
            return f"the validation loss {validation_loss:.4g} is back at that of a guess, {self._chance_loss:.4g}"
        if self._is_outlier(validation_loss):
            self._strikes += 1
            if self._strikes >= options.strikes:
                return f"the validation loss {validation_loss:.4g} was far out for {self._strikes} epochs in a row"
            return None
        self._strikes = 0
        self._losses.append(validation_loss)
        self._best = min(self._best, validation_loss)
        return None

    @property
    def is_content(self) -> bool:
        """Whether the last epoch was good enough to go back to."""
        return self._strikes == 0

    def forgive(self) -> None:
        """Count strikes anew: training was put back."""
        self._strikes = 0

    def state(self) -> dict[str, Any]:
        """Everything in JSON types."""
        best = None if math.isinf(self._best) else self._best
        return {"losses": list(self._losses), "best": best, "strikes": self._strikes}

    def restore_state(self, data: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._losses.clear()
        self._losses.extend(data["losses"])
        self._best, self._strikes = data["best"] if data["best"] is not None else math.inf, data["strikes"]

    def _is_outlier(self, loss: float) -> bool:
        if len(self._losses) < 3:
            return False
        mean, deviation = statistics.fmean(self._losses), statistics.stdev(self._losses)
        return loss > mean + self._options.sigmas * deviation and loss > self._options.times * mean
