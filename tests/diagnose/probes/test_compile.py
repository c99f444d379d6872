from ..conftest import PROGRAMS, marked

COMPILES = PROGRAMS / "compiles.py"


def found(diagnosis, code):
    return [f for f in diagnosis.findings if f.code == code]


def test_a_graph_break_is_told_with_reason_and_line(diagnosed):
    (line,) = marked(COMPILES, "break")
    assert line in [f.line for f in found(diagnosed(COMPILES), "CO07")]


def test_recompiles_after_the_warmup_are_told_with_the_guard_that_failed(diagnosed):
    late = [f for f in found(diagnosed(COMPILES), "CO07") if "recompiles" in f.message]
    assert len(late) == 1
    assert "mismatch" in late[0].message
    assert late[0].share > 0


def test_a_module_that_was_compiled_and_is_used_by_another_method_is_told(diagnosed):
    (line,) = marked(COMPILES, "never called")
    assert [(f.path, f.line) for f in found(diagnosed(COMPILES), "CO04") + found(diagnosed(COMPILES), "CO03")] == [
        (str(COMPILES), line)
    ]
