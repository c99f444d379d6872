"""Hears of what Dynamo gives up to compile: at its recompile limit, or where a frame cannot be compiled.

Dynamo says so on its own logger and goes on eagerly; whoever listens there is told at that moment, and no step costs
more.
"""

import logging
import sys

_LOGGER = "torch._dynamo.convert_frame"


class EagerFrames(logging.Handler):
    """What was given up so far, one line each; nothing is said twice."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []
        self._skipped = 0

    def listen(self) -> None:
        """From now on, until `close`."""
        logging.getLogger(_LOGGER).addHandler(self)

    def close(self) -> None:
        """Hear nothing any more."""
        logging.getLogger(_LOGGER).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what says that a frame will run eagerly."""
        lines = [line.strip() for line in record.getMessage().splitlines() if line.strip()]
        if "limit (" in lines[0]:
            frame = next((line for line in lines if line.startswith("function:")), "")
            why = next((line for line in lines if line.startswith("last reason:")), "")
            line = " ".join(filter(None, [lines[0], frame, why]))
        elif record.exc_info or "WON'T CONVERT" in lines[0]:
            line = f"Dynamo could not compile a frame: {lines[0]}"
        else:
            return
        told = f"{line}; what it compiled before runs eagerly from now on"
        if told not in self.told:
            self.told.append(told)

    def newly_skipped(self) -> int:
        """How many frames Dynamo has met and not compiled since the last call."""
        dynamo = sys.modules.get("torch._dynamo.utils")
        if dynamo is None:
            return 0
        frames = dynamo.counters["frames"]
        before, self._skipped = self._skipped, frames["total"] - frames["ok"]
        return self._skipped - before
