"""A process that computes on one core in bursts, as a busy neighbour does."""

import subprocess
import sys
from contextlib import contextmanager

BURSTS = """
import time
while True:
    end = time.time() + 0.7
    while time.time() < end:
        sum(range(1000))
    time.sleep(0.5)
"""


@contextmanager
def background_load(*, is_on):
    """The process lives as long as the context, where it `is_on`."""
    process = subprocess.Popen([sys.executable, "-c", BURSTS]) if is_on else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()
