"""What can be read from the source of a `__getitem__`, and what is refused with its line."""

import pytest
import torch
from torch.utils.data import Dataset

from hotloop.data.fetching.item_template import Column, Parts, filled, template_of
from hotloop.errors import NotApplicable

X, Y = Column(attribute="x"), Column(attribute="y")


class OneColumn(Dataset):
    def __getitem__(self, i):
        """A row."""
        return self.x[i]


class TwoColumns(Dataset):
    def __getitem__(self, index):
        x = self.x[index]
        print(index)
        return x, self.y[index]


class InATuple(Dataset):
    def __getitem__(self, i):
        x, y = self.x[i], self.y[i]
        return (x, [y, x])


class Named(Dataset):
    def __getitem__(self, i):
        return {"input": self.x[i], "target": self.y[i]}


class Draws(Dataset):
    def __getitem__(self, i):
        return self.x[i] + torch.randn(3)


class Slices(Dataset):
    def __getitem__(self, i):
        return self.x[i : i + 3]


class IndexesLater(Dataset):
    def __getitem__(self, i):
        i = i // 2
        return self.x[i]


class TakesMore(Dataset):
    def __getitem__(self, i, *rest):
        return self.x[i]


class LooksUp(OneColumn):
    def __getattr__(self, name):
        return torch.zeros(3)


class ReadsManyAtOnce(OneColumn):
    def __getitems__(self, indices):
        return [self.x[0]] * len(indices)


class NotThere:
    pass


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        (OneColumn, X),
        (InATuple, Parts(kind="tuple", parts=(X, Parts(kind="list", parts=(Y, X))))),
        (Named, Parts(kind="dict", parts=(X, Y), keys=("input", "target"))),
    ],
)
def test_what_only_indexes_is_read_as_it_is_put_together(kind, template):
    assert template_of(kind()) == template


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (TwoColumns, r"line \d+: print\(index\)"),
        (Draws, r"line \d+: self.x\[i\] \+ torch.randn\(3\)"),
        (Slices, r"self.x\[i:i \+ 3\]"),
        (IndexesLater, r"i = i // 2"),
        (TakesMore, "more than an index"),
        (LooksUp, "__getattr__ of its own"),
        (ReadsManyAtOnce, "__getitems__ of its own"),
        (NotThere, "cannot be read"),
    ],
)
def test_whatever_else_it_does_is_refused_with_the_reason(kind, words):
    with pytest.raises(NotApplicable, match=words):
        template_of(kind())


def test_source_that_is_not_what_runs_is_refused():
    class Changed(OneColumn):
        def __getitem__(self, i):
            return self.x[i]

    names = {}
    exec("def other(self, i):\n    return self.x[i] * 2\n", names)
    Changed.__getitem__.__code__ = names["other"].__code__.replace(
        co_filename=__file__, co_firstlineno=OneColumn.__getitem__.__code__.co_firstlineno
    )
    with pytest.raises(NotApplicable, match="is not what runs"):
        template_of(Changed())


def test_a_tuple_of_a_sample_is_a_list_of_a_batch():
    template = template_of(InATuple())
    assert filled(template, {"x": 1, "y": 2}) == [1, [2, 1]]
