"""One rank of a program: `python -P -m hotloop.worker.rank SOCKET`, started by torchrun's launcher.

It speaks as any worker does, to the launcher's `RankRelay` in place of the parent. After its last word it waits until
the others have said theirs: a rank that is gone would break what the others still exchange.
"""

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from hotloop.worker.main import serve, train_under
from hotloop.worker.rank_clock import RankClock
from hotloop.worker.spec import Channel

LAST_WORDS = ("ended", "crashed", "protected", "watched")


class RankChannel(Channel):
    """A rank's end: it adds to each turn where its time went, and waits after its last word."""

    def __init__(self, connection: socket.socket, clock: RankClock) -> None:
        super().__init__(connection)
        self._clock = clock

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises OSError where the other end is gone."""
        waits = self._clock.read()
        super().send({**message, "waits": waits} if message.get("event") in ("turn", "ended") else message)
        if message.get("event") in LAST_WORDS:
            self.receive()


def main() -> None:
    """Say who this is, and train as told."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    clock = RankClock()
    channel = RankChannel(connection, clock)
    channel.send({"rank": int(os.environ["RANK"]), "pid": os.getpid()})

    def train(spec: Any, told: Channel) -> dict[str, Any]:
        clock.start()
        return train_under(spec, told)

    serve(train, channel)


if __name__ == "__main__":
    main()
