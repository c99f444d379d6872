"""Between the parent and all ranks of a program: one order goes to all of them, and all their answers become one.

A rank that dies or raises ends the worker at once, by name: the others would wait for it without end.
"""

import math
import os
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hotloop.worker.rank import LAST_WORDS
from hotloop.worker.rank_messages import joined_turns, merged_turn, merged_watch
from hotloop.worker.spec import Channel

Message = dict[str, Any]
_ASKED_FOR = ("barrier", "turn")  # after these a worker waits for an order
_LAGS = 2.0  # seconds after which it is worth telling that some ranks have answered and others not
_GRACE = 0.5  # seconds in which the death of another rank explains why one has raised


class RankRelay:
    """Serves the parent on `parent` for `ranks`; `how_ended(rank)` says how the process of a rank ended, in words."""

    def __init__(self, parent: Channel, ranks: Mapping[int, Channel], how_ended: Callable[[int], str]) -> None:
        self._parent = parent
        self._ranks = [ranks[rank] for rank in sorted(ranks)]
        self._how_ended = how_ended
        self._heard: queue.Queue[tuple[int, Message | None]] = queue.Queue()
        self._waiting: list[deque[Message]] = [deque() for _ in self._ranks]
        self._steps = [0] * len(self._ranks)
        self._lag_told: list[int] = []
        for rank, channel in enumerate(self._ranks):
            threading.Thread(target=self._listen, args=(rank, channel), daemon=True).start()

    def serve(self) -> NoReturn:
        """Until the last word of all ranks, the first of one that failed, or the parent's end."""
        answers = self._gather()
        while True:
            self._parent.send(_merged(answers))
            if answers[0]["event"] in _ASKED_FOR:
                order = self._parent.receive()
                if order is None or order["do"] == "stop":
                    os._exit(0)
                answers = self._run(order)
            else:
                answers = self._gather()

    def _run(self, order: Message) -> list[Message]:
        """A turn of all ranks. All must stop after the same step, so that only its first part is asked for by steps:
        as many more follow, in parts, until `seconds` have passed.
        """
        began, asked, seconds = time.monotonic(), order.get("steps", 0), order.get("seconds", 0.0)
        self._tell({"do": "run", "steps": asked})
        answers = self._gather()
        while answers[0]["event"] == "turn" and (left := seconds - (time.monotonic() - began)) > 0:
            step = max(1e-6, math.fsum(answers[0]["wall"]) / max(1, len(answers[0]["wall"])))
            self._tell({"do": "run", "steps": max(1, math.ceil(left / step))})
            before, answers = answers, self._gather()
            answers = [_joined(first, second) for first, second in zip(before, answers, strict=True)]
        return answers

    def _tell(self, order: Message) -> None:
        for channel in self._ranks:
            try:
                channel.send(order)
            except OSError:
                continue  # it has ended; its end of file is heard next

    def _gather(self) -> list[Message]:
        """One message of each rank. Ends the worker where one has failed."""
        while not all(self._waiting):
            try:
                rank, message = self._heard.get(timeout=_LAGS)
            except queue.Empty:
                self._tell_of_lag()
                continue
            if message is None:
                self._died(rank)
            if message["event"] in ("crashed", "protected"):
                self._failed(rank, message)
            if message["event"] == "ended":
                self._tell_of_end(rank, message["steps"])
                self._lag_told = [other for other, waiting in enumerate(self._waiting) if not waiting and other != rank]
            self._steps[rank] = message.get("steps", self._steps[rank])
            self._waiting[rank].append(message)
        self._lag_told = []
        answers = [waiting.popleft() for waiting in self._waiting]
        if any(answer["event"] == "ended" for answer in answers):
            answers = [_as_end(answer) for answer in answers]
        if answers[0]["event"] in LAST_WORDS:
            self._say_last(_merged(answers))
        return answers

    def _tell_of_end(self, rank: int, steps: int) -> None:
        text = (
            f"rank {rank} has come to the end of its program after {steps} steps, and others go on and wait for it: "
            "give all ranks equally many batches (DistributedSampler, drop_last=True), or train under ddp.join()"
        )
        self._parent.send({"event": "waiting", "message": text})

    def _tell_of_lag(self) -> None:
        """Tell which ranks the others wait for, once for each time that they wait."""
        behind = [rank for rank, waiting in enumerate(self._waiting) if not waiting]
        if len(behind) == len(self._ranks) or behind == self._lag_told:
            return
        self._lag_told = behind
        ranks = " and ".join(f"rank {rank}" for rank in behind)
        text = (
            f"{ranks} did not make the steps that the others have made: ranks that make different numbers of steps, as "
            "under ddp.join(), cannot be timed together; give all of them equally many batches"
        )
        self._parent.send({"event": "waiting", "message": text})

    def _died(self, rank: int) -> NoReturn:
        self._say_last({"event": "died", "message": f"rank {rank} {self._how_ended(rank)}", "steps": self._steps[rank]})

    def _failed(self, rank: int, message: Message) -> NoReturn:
        """Say what a rank raised; where another has died meanwhile, that is why."""
        until = time.monotonic() + _GRACE
        while (left := until - time.monotonic()) > 0:
            try:
                other, heard = self._heard.get(timeout=left)
            except queue.Empty:
                break
            if heard is None and other != rank:
                self._died(other)
        self._say_last({**message, "message": f"rank {rank}: {message['message']}"})

    def _say_last(self, message: Message) -> NoReturn:
        try:
            self._parent.send(message)
        finally:
            os._exit(0)  # the warden ends the ranks

    def _listen(self, rank: int, channel: Channel) -> None:
        while True:
            try:
                message = channel.receive()
            except OSError:
                message = None
            self._heard.put((rank, message))
            if message is None:
                return


def accept_ranks(listener: socket.socket, count: int) -> dict[int, Channel]:
    """The channels of so many ranks, by rank, once each has said who it is."""
    found: dict[int, Channel] = {}
    while len(found) < count:
        channel = Channel(listener.accept()[0])
        hello = channel.receive()
        if hello is not None:
            found[hello["rank"]] = channel
    return found


def _merged(answers: Sequence[Message]) -> Message:
    event = answers[0]["event"]
    if event == "turn":
        return merged_turn(answers)
    if event == "ended":
        steps = min(answer["steps"] for answer in answers)
        return {
            "event": "ended",
            "steps": steps,
            "turn": merged_turn([{**a["turn"], "waits": a["waits"]} for a in answers]),
        }
    if event == "watched":
        failed = next((answer for answer in answers if "failed" in answer), None)
        return failed or merged_watch(answers)
    if event == "stepped":
        return {"event": "stepped", "steps": min(answer["steps"] for answer in answers)}
    return dict(answers[0])


def _as_end(answer: Message) -> Message:
    """A turn that was the last because another rank has come to its end."""
    if answer["event"] == "ended":
        return answer
    return {"event": "ended", "steps": answer["steps"], "turn": answer, "waits": answer["waits"]}


def _joined(first: Message, second: Message) -> Message:
    waits = {name: seconds + second["waits"][name] for name, seconds in first["waits"].items()}
    if second["event"] == "turn":
        return {**joined_turns(first, second), "waits": waits}
    return {**second, "turn": joined_turns(first, second["turn"]), "waits": waits}
