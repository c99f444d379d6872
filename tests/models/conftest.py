"""The recorded networks of the peer, and the program that recorded them."""

import importlib.util
import json
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hisso" / "peer_weights.py"
_FIXTURE = Path(__file__).parent / "fixtures" / "peer.json"


def peer_weights():
    spec = importlib.util.spec_from_file_location("peer_weights", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_CASES = json.loads(_FIXTURE.read_text(encoding="utf-8"))["cases"]


@pytest.fixture(params=_CASES, ids=[case["title"] for case in _CASES])
def recorded(request):
    return request.param


@pytest.fixture
def converted():
    return peer_weights()
