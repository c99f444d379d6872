"""Runs of PPO that take turns update by update, each in a thread of its own, so that all meet the same machine."""

import threading
import time
from collections.abc import Callable


class Turn:
    """Lets one run go on for one update at a time, and notes the time of its thread and of the wall.

    With one intra-op thread an update is computed by the thread that asks for it, so that thread's CPU time is all.
    """

    def __init__(self, run: Callable[[Callable[[object], None]], None]) -> None:
        self._may_go, self._has_ended = threading.Semaphore(0), threading.Semaphore(0)
        self._began = (0.0, 0.0)
        self.samples: list[dict[str, float]] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()

    def take(self) -> None:
        """One update. Raises what the run raised."""
        self._may_go.release()
        self._has_ended.acquire()
        if self.error is not None:
            raise self.error

    def _run(self, run: Callable[[Callable[[object], None]], None]) -> None:
        try:
            self._wait()
            run(self._after_update)
        except BaseException as error:  # noqa: BLE001  # raised again where the turn is taken
            self.error = error
        finally:
            self._has_ended.release()

    def _wait(self) -> None:
        self._may_go.acquire()
        self._began = time.thread_time(), time.perf_counter()

    def _after_update(self, _: object) -> None:
        cpu, wall = time.thread_time() - self._began[0], time.perf_counter() - self._began[1]
        self.samples.append({"cpu": cpu, "wall": wall})
        self._has_ended.release()
        self._wait()
