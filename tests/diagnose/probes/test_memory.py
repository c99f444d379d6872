from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.memory import MemoryProbe

from ..conftest import probe_steps


def test_the_peak_of_memory_has_an_owner_and_counts_the_weights(context, training):
    model, step = training
    probe = MemoryProbe(context)
    probe_steps(probe, step)
    data = probe.report(PhaseTimes(ordinary={"other": 1.0})).data
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    assert data["peak"] > data["standing"] >= weights
    assert data["path"].endswith("conftest.py")  # where the model is called
