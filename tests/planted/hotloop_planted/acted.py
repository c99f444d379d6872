"""Tells whoever planted a fault that it acted: that something in this process is not what it would have been.

A datagram to the socket that `PLANTED_ACTED` names, so that nothing is written to any file.
"""

import contextlib
import os
import socket

VARIABLE = "PLANTED_ACTED"


_has_told = False  # no functools.cache: Dynamo warns of one where it traces a fault, and tests make errors of warnings


def acted() -> None:
    """Say so, once in a process; nobody may be listening, or they may have heard enough."""
    global _has_told
    if not _has_told:
        _has_told = True
        _tell()


def _tell() -> None:
    path = os.environ.get(VARIABLE)
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(BlockingIOError):
            sender.setblocking(False)
            sender.sendto(b"acted", path)
