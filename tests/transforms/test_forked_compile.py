"""Watched runs are forked from the process of the tests, which may have compiled before."""

import os

from benchmarks.verify.forked import forked_output, run_forked


def _compile(number: float) -> None:
    import torch

    compiled = torch.compile(lambda x: (x.sin() + number).cos() * number)
    compiled(torch.randn(5))


def test_a_child_of_a_process_that_has_compiled_compiles_too(tmp_path):
    def parent() -> None:
        import torch._inductor.config as inductor

        inductor.compile_threads = 2  # one has no pool that could be inherited
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
        _compile(2.0)
        failed = run_forked(lambda: _compile(3.0), folder=tmp_path, arguments=[])
        assert failed is None, failed

    code, printed = forked_output(parent, folder=tmp_path, arguments=[])
    assert code == 0, printed
