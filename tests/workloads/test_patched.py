import types

import pytest

from hotloop.workloads.patched import patched


@pytest.fixture
def module():
    return types.SimpleNamespace(save="original")


def test_the_replacement_stands_while_the_context_lasts(module):
    with patched(module, "save", "replacement"):
        assert module.save == "replacement"
    assert module.save == "original"


def test_an_error_puts_the_original_back(module):
    with pytest.raises(ValueError, match="wrong"), patched(module, "save", "replacement"):
        raise ValueError("wrong")
    assert module.save == "original"


def test_what_the_program_has_put_there_meanwhile_stays(module):
    with patched(module, "save", "replacement"):
        module.save = "the program's own"
    assert module.save == "the program's own"


def test_a_method_of_a_class_is_replaced_for_its_instances():
    class Loader:
        def fetch(self):
            return "original"

    loader = Loader()
    with patched(Loader, "fetch", lambda self: "replacement"):
        assert loader.fetch() == "replacement"
    assert loader.fetch() == "original"
