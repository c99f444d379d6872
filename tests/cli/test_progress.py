"""What a session shows while it runs."""

import io

import pytest
from rich.console import Console

from hotloop.cli.progress import LiveProgress
from hotloop.measurement import Interval
from hotloop.trial import Trial

KEPT = Trial(
    plan=({"name": "autocast", "dtype": "bfloat16"},),
    title="autocast(dtype=bfloat16)",
    change="autocast(dtype=bfloat16)",
    kept=True,
    reason="faster, and trains the same model",
    speedup=Interval(ratio=1.5, low=1.4, high=1.6),
)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)


def test_elsewhere_than_in_a_terminal_it_writes_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveProgress(budget=60.0) as progress:
        progress.say("cheap changes: autocast(dtype=bfloat16), channels_last")
        progress.trial(KEPT)
    said = capsys.readouterr()
    assert said.err == "cheap changes: bf16, channels_last\n  kept: bf16: faster, and trains the same model\n"
    assert said.out == ""


def test_in_a_terminal_one_region_is_drawn_again_and_goes_at_the_end() -> None:
    console, times = terminal(), iter(range(0, 1000, 30))
    with LiveProgress(budget=600.0, console=console, clock=lambda: next(times)) as progress:
        progress.say("cheap changes")
        progress.trial(KEPT)
    drawn = console.file.getvalue()
    assert all(text in drawn for text in ("1:00 of 10:00", "cheap changes", "1.50x [1.40, 1.60]", "kept: bf16"))
    assert drawn.endswith("\x1b[2K")  # its last line is cleared


def test_what_broke_off_stays_in_sight() -> None:
    console = terminal()
    progress = LiveProgress(budget=600.0, console=console).__enter__()
    progress.say("confirming")
    progress.__exit__(RuntimeError, RuntimeError(), None)
    assert not console.file.getvalue().endswith("\x1b[2K")
