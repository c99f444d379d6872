"""Which machines are of one kind."""

from dataclasses import replace

import pytest

from hotloop.machine.kind import differences


def test_load_memory_and_the_numbers_of_cores_are_not_of_the_kind(cpu_machine):
    other = replace(cpu_machine, load=3.0, memory=2**40, cores=(4, 5), foreign_cores=1.0, git_revision="abc")
    assert differences(cpu_machine, other) == ()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cpu", "Other 1", "its CPU: Other 1, here: Example 9000"),
        ("cores", (0, 1, 2), "its number of cores: 3, here: 2"),
        ("torch", "2.12.0", "its torch: 2.12.0, here: 2.13.0"),
        ("gpus", ("H200",), "its GPUs: H200, here: none"),
        ("cpu_flags", ("avx2",), "CPU flags of one alone: avx512_bf16"),
        ("allocators", {}, "its allocators: none, here: /usr/lib/libtcmalloc_minimal.so.4"),
    ],
)
def test_what_differs_is_told_with_both_values(cpu_machine, field, value, words):
    assert differences(cpu_machine, replace(cpu_machine, **{field: value})) == (words,)
