"""What tests of many rooms need: a machine as it is recorded."""

import pytest

from hotloop.measurement import Environment


@pytest.fixture
def cpu_machine() -> Environment:
    """A small machine without CUDA and with a compiler."""
    return Environment(
        cpu="Example 9000",
        cpu_flags=("avx2", "avx512_bf16"),
        cores=(0, 1),
        threads=2,
        governor="performance",
        load=0.25,
        foreign_cores=0.0,
        memory=8 * 2**30,
        platform="Linux",
        python="3.11.7",
        torch="2.13.0",
        hotloop="0.1.0",
        argv=("hotloop", "tune", "train.py"),
        variables={"OMP_NUM_THREADS": "1"},
        allocators={"tcmalloc": "/usr/lib/libtcmalloc_minimal.so.4"},
        compiler="g++ 12",
    )
