"""Kernels that are compiled, where the machine has a compiler."""

import shutil

import pytest

from hotloop import kernels


@pytest.fixture(scope="session")
def native():
    if not any(shutil.which(name) for name in ("g++", "clang++")):
        pytest.skip("no C++ compiler here")
    assert kernels.status().cpu == "native", kernels.status().reason
