"""A thread that fetches batches one after another, and ends with the iterator that it belongs to."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

import torch

from hotloop.data.fetching.fetch_conditions import FetchConditions
from hotloop.data.fetching.random_calls import DrawsInThread, NoDraws
from hotloop.data.fetching.random_states import python_streams

_LOOK = 1.0  # seconds after which a waiting program looks whether the thread is still alive


class ReadingLock:
    """Data sets are read by one thread at a time in this process, and by none while it forks."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        os.register_at_fork(before=self._take, after_in_parent=self._give_back, after_in_child=self._renew)

    def _take(self) -> None:
        self.lock.acquire()

    def _give_back(self) -> None:
        self.lock.release()

    def _renew(self) -> None:
        self.lock = threading.RLock()


reading = ReadingLock()


class EarlyBatch:
    """A batch that is asked of the thread: its index, and the conditions under which it was asked for."""

    def __init__(self, index: Any, conditions: FetchConditions) -> None:
        self.index = index
        self.conditions = conditions
        self.data: Any = None
        self.reason: str | None = None  # why it must be fetched where the program asks for it
        self.is_done = threading.Event()

    def fetch(self, fetch: Callable[[Any], Any]) -> None:
        """Fetch it in this thread. Whatever is raised is left for the program to meet, where it asks for the batch."""
        streams = python_streams()
        try:
            with torch.inference_mode(self.conditions.is_inference), NoDraws(), self._gradients():
                self.data = fetch(self.index)
            if streams != python_streams():
                self.reason = "Python's or numpy's random numbers were drawn, by the loop or by its samples, meanwhile"
        except DrawsInThread as draw:
            self.reason = f"its samples draw random numbers (torch's {draw})"
        except BaseException as error:  # noqa: BLE001  # raised again by the plain fetch, in the program's own thread
            self.reason = f"a {type(error).__name__} was raised in the thread"
        finally:
            self.is_done.set()

    def leave(self) -> None:
        """It is left to the program."""
        self.reason = "the thread has ended"
        self.is_done.set()

    def _gradients(self) -> contextlib.AbstractContextManager[None]:
        is_plain = self.conditions.is_inference
        return contextlib.nullcontext() if is_plain else torch.set_grad_enabled(self.conditions.has_gradients)


class ReaderThread:
    """Fetches what it is asked for, in order, until it is closed."""

    def __init__(self, fetch: Callable[[Any], Any]) -> None:
        self._wanted: queue.SimpleQueue[EarlyBatch | None] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        device = torch.cuda.current_device() if torch.cuda.is_initialized() else None
        self._thread = threading.Thread(
            target=_read, args=(self._wanted, self._is_closed, fetch, device), name="hotloop-prefetch", daemon=True
        )
        self._thread.start()

    def ask(self, batch: EarlyBatch) -> EarlyBatch:
        """Have the thread fetch this next."""
        self._wanted.put(batch)
        return batch

    def wait(self, batch: EarlyBatch) -> None:
        """Until the thread has fetched it, or is no more: in a process that was forked meanwhile it is not."""
        while not batch.is_done.wait(_LOOK):
            if not self._thread.is_alive():
                batch.leave()

    def close(self) -> None:
        """End the thread; what it is fetching is fetched to its end, since it may be reading the program's data."""
        self._is_closed.set()
        self._wanted.put(None)
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join()


def _read(
    wanted: queue.SimpleQueue[EarlyBatch | None],
    is_closed: threading.Event,
    fetch: Callable[[Any], Any],
    device: int | None,
) -> None:
    if device is not None:
        torch.cuda.set_device(device)  # each thread has its own
    while (batch := wanted.get()) is not None:
        with reading.lock:
            if is_closed.is_set():
                batch.leave()
            else:
                batch.fetch(fetch)
        if batch.reason is not None:
            is_closed.set()  # what comes next must not be read by this thread
        batch = None
