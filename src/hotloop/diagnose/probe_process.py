"""The process that is diagnosed: `python -P -m hotloop.diagnose.probe_process FD STEPS SECONDS`."""

import sys
from typing import NoReturn

from hotloop import registry
from hotloop.diagnose.call_sites import CallSites
from hotloop.diagnose.trace_context import TraceContext
from hotloop.diagnose.tracer import Tracer
from hotloop.transform import Plan
from hotloop.worker.main import enter_scratch, inside, run_to_its_end, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workloads.started_plan import start


def _train(spec: WorkerSpec, channel: Channel) -> NoReturn:
    kinds = [registry.load("probes", name) for name in registry.names("probes")]
    enter_scratch(spec, channel)
    context = TraceContext(call_sites=CallSites(spec.scratch))
    tracer = Tracer(
        channel, context, [kind(context) for kind in kinds], steps=int(sys.argv[2]), budget=float(sys.argv[3])
    )
    with tracer.installed():
        run_to_its_end(inside(spec), start(Plan()), tracer)
        tracer.finish()


if __name__ == "__main__":
    serve(_train)
