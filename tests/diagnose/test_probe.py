"""What every registered probe keeps to."""

import pytest

from hotloop import registry
from hotloop.diagnose.probe import Probe, amdahl_limit


@pytest.mark.parametrize("name", registry.names("probes"))
def test_a_probe_bears_the_name_of_its_file(name, context):
    probe = registry.load("probes", name)(context)
    assert isinstance(probe, Probe)
    assert probe.name == name


def test_half_of_the_time_gone_is_twice_the_speed():
    assert amdahl_limit(0.5) == pytest.approx(2.0)
    assert amdahl_limit(0.0) == 1.0
