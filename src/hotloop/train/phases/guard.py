"""Goes back to true gradients where predictions do not point where the true ones do."""

from typing import Any

_LONGEST_PAUSE = 4096


class CorrelationGuard:
    """Answers each cosine of a prediction and the true gradient with the number of steps to predict nothing in.

    The first failure costs `first_pause` steps, each one after it twice as many up to 4096; a cosine that reaches
    `min_correlation` makes the next pause the first again. NaN fails. With a predictor that is no good the share of
    predicted steps goes to zero.
    """

    def __init__(self, min_correlation: float, *, first_pause: int = 8) -> None:
        self._min_correlation, self._first_pause = min_correlation, first_pause
        self._next_pause = first_pause
        self.num_suspensions = 0

    def judge(self, cosine: float) -> int:
        """Steps of pause; 0 where the prediction is good enough."""
        if cosine >= self._min_correlation:
            self._next_pause = self._first_pause
            return 0
        pause = self._next_pause
        self._next_pause = min(2 * pause, _LONGEST_PAUSE)
        self.num_suspensions += 1
        return pause

    def reset(self) -> None:
        """As new."""
        self._next_pause, self.num_suspensions = self._first_pause, 0

    def state_dict(self) -> dict[str, int]:
        """What the next answer depends on."""
        return {"next_pause": self._next_pause, "num_suspensions": self.num_suspensions}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._next_pause, self.num_suspensions = state["next_pause"], state["num_suspensions"]
