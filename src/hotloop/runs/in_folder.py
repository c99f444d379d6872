"""A run inside its folder: made or opened again, with how it ended in metrics.json and events.csv."""

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hotloop.errors import ConfigError, FitFailed
from hotloop.runs.folder import RunFolder, now
from hotloop.runs.request import FinishedRun, RunRequest


def opened_folder(data: dict[str, Any], request: RunRequest, *, is_out_itself: bool = False) -> RunFolder:
    """The folder of the run that `request` begins or goes on with, which keeps `data` as its config.

    It is made inside of `request.out`; where `is_out_itself` and no name was given, it is that folder.
    """
    if request.resume is not None:
        folder = RunFolder.reopen(request.resume, data)
        folder.log(f"resumed: {' '.join(sys.argv)}")
        return folder
    name = request.name or f"{request.config.stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    place = (request.out or Path("runs")) / name
    if is_out_itself and request.out is not None and request.name is None:
        place = request.out
    folder = RunFolder.create(place, data)
    folder.log(f"started: {' '.join(sys.argv)}")
    return folder


def run_in_folder(folder: RunFolder, work: Callable[[], dict[str, Any]], *, device: str) -> FinishedRun:
    """What `work` gives, written to metrics.json; its warnings are kept among the events.

    Raises FitFailed where it raises, and leaves the error in the folder; a ConfigError comes through as it is.
    """
    metrics: dict[str, Any] = {"status": "running", "start_time": now(), "device": device}
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            metrics |= work()
        for text in dict.fromkeys(str(warning.message) for warning in caught):
            folder.log(text, "WARNING")
            sys.stderr.write(f"warning: {text}\n")
    except BaseException as error:
        failed = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        _close(folder, {**metrics, **failed}, began)
        folder.log(failed["error"], "ERROR")
        if isinstance(error, ConfigError) or not isinstance(error, Exception):
            raise
        raise FitFailed(f"{failed['error']} (the run is in {folder.path})") from error
    return FinishedRun(folder=folder.path, metrics=_close(folder, {**metrics, "status": "completed"}, began))


def _close(folder: RunFolder, metrics: dict[str, Any], began: float) -> dict[str, Any]:
    closed = {**metrics, "duration_seconds": time.perf_counter() - began, "timestamp": now()}
    folder.write_metrics(closed)
    return closed
