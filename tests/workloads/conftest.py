import tempfile

import pytest


@pytest.fixture(autouse=True)
def _scratches_go_with_the_test(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratches")))
