"""The document of a diagnosis, from what the probes of a process report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from hotloop.diagnose.capturing import capturing_findings
from hotloop.diagnose.diagnosis import finding_data
from hotloop.diagnose.phase_times import OUTSIDE, PHASES, PhaseTimes
from hotloop.diagnose.probe import ProbeReport
from hotloop.diagnose.program_kind import program_kind


def summarize(
    times: PhaseTimes,
    reports: Mapping[str, ProbeReport],
    *,
    losses: Sequence[float | None],
    ready: float,
    notes: Sequence[str],
) -> dict[str, Any]:
    """JSON data with the fields of a Diagnosis, except the workload and the environment.

    `ready` is the time of day at which the program was ready to train.
    """
    seen = {name: report.data for name, report in reports.items() if report.data is not None}
    outside = {
        name: {"seconds": seconds * times.steps, "share": times.share_of_all(seconds)}
        for name in OUTSIDE
        if (seconds := times.all.get(name))
    }
    times = _with_copies(times, seen.get("trace"))
    kind = program_kind(times, seen)
    findings = [finding for report in reports.values() for finding in report.findings]
    findings += capturing_findings(kind, seen.get("step_source"))
    findings.sort(key=lambda f: (-(f.share or 0.0), f.share is None, f.code, f.path, f.line))  # the most to win first
    return {
        "kind": kind,
        "step_seconds": times.seconds,
        "steps": times.steps,
        "phases": {
            name: {"ms": 1e3 * times.ordinary.get(name, 0.0), "share": times.shares.get(name, 0.0)}
            for name in dict.fromkeys((*PHASES, *times.ordinary))
        },
        "outside": {**outside, "start_up": {"seconds": max(0.0, ready - psutil.Process().create_time())}},
        "share_by_phase": times.share_by_phase,
        "findings": [finding_data(finding) for finding in findings],
        "modules": seen.pop("modules", []),
        "seen": seen,
        "losses": [loss if loss is not None and loss - loss == 0.0 else None for loss in losses],
        "notes": [*notes, *(note for report in reports.values() for note in report.notes)],
    }


def _with_copies(times: PhaseTimes, trace: Mapping[str, float] | None) -> PhaseTimes:
    """Copies to the device show in the profiler's trace alone; for hooks they are part of "other"."""
    other = times.ordinary.get("other", 0.0)
    copying = min(trace["host_to_device_share"] * times.seconds, other) if trace else 0.0
    if not copying:
        return times
    before = times.ordinary.get("host_to_device", 0.0)
    return replace(times, ordinary={**times.ordinary, "host_to_device": before + copying, "other": other - copying})
