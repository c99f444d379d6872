"""Activation checkpointing: equal training, less memory, and refusals."""

import copy
import random

import pytest
import torch
from torch import nn

from hotloop.compile.checkpointing import ChangedInputError, Checkpointed, check_checkpointable
from hotloop.compile.root_call import call_around
from hotloop.errors import NotApplicable
from hotloop.memory.batch_growth import growth_with_the_batch


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.dropout = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropout(self.norm(self.conv(x)).relu())


class Odd(nn.Module):
    """A block that does one more thing in its forward pass."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.linear, self.what, self.calls = nn.Linear(4, 4), what, 0
        self._hidden, self.history = 0.5, []
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("var", torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.what == "buffer":
            self.seen.add_(1)
        if self.what == "statistics":
            return self.linear(nn.functional.batch_norm(x, self.mean, self.var, training=True))
        if self.what == "attribute":
            self.calls += 1
        if self.what == "private":
            self._hidden = self._hidden / 2
        if self.what == "list":
            self.history.append(1)
        if self.what == "input":
            x.add_(1)
        if self.what == "draw":
            return self.linear(x) * random.random()
        return self.linear(x)


def around_each(model, **options):
    around = Checkpointed(keeps_products=options.get("keeps_products", False))
    for block in model:
        call_around(block, around)
    return around


def trained(model, steps=4):
    """Losses, and the whole state after some steps."""
    torch.manual_seed(1)
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    for _ in range(steps):
        loss = model(torch.randn(5, 4, 6, 6)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [*losses, *model.state_dict().values(), torch.rand(1)]


@pytest.mark.parametrize("keeps_products", [False, True])
@pytest.mark.parametrize("training", [True, False])
def test_training_is_equal_bit_for_bit_with_dropout_and_running_statistics(keeps_products, training):
    torch.manual_seed(0)
    plain = nn.Sequential(*(Block() for _ in range(3))).train(training)
    saving = copy.deepcopy(plain)
    around = around_each(saving, keeps_products=keeps_products)
    assert all(map(torch.equal, trained(saving), trained(plain)))
    assert around.calls == 11  # all but the very first


def test_naive_checkpointing_updates_running_statistics_twice():
    from torch.utils.checkpoint import checkpoint

    block, x = Block(), torch.randn(5, 4, 6, 6)
    checkpoint(block, x, use_reentrant=False).sum().backward()
    assert block.norm.num_batches_tracked == 2


def test_autocast_is_restored_for_the_second_forward():
    torch.manual_seed(0)
    plain = nn.Sequential(*(Block() for _ in range(3)))
    saving = copy.deepcopy(plain)
    around_each(saving)

    def gradients(model):
        torch.manual_seed(1)
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(torch.randn(5, 4, 6, 6)).square().mean()
            model.zero_grad()
            loss.backward()
        return [parameter.grad for parameter in model.parameters()]

    assert all(map(torch.equal, gradients(saving), gradients(plain)))


@pytest.mark.parametrize(("keeps_products", "share"), [(False, 0.5), (True, 0.8)])
def test_less_is_kept_for_backward(keeps_products, share):
    plain = nn.Sequential(*(Block() for _ in range(3)))
    saving = copy.deepcopy(plain)
    around_each(saving, keeps_products=keeps_products)
    x = torch.randn(8, 4, 6, 6)
    saving(x)
    kept = [growth_with_the_batch(model, (x,), {}).bytes_per_sample for model in (plain, saving)]
    assert kept[1] < share * kept[0]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("buffer", "Odd changes seen in place"),
        ("statistics", "Odd changes mean in place"),
        ("attribute", "Odd changes its attribute calls"),
        ("private", "Odd changes its attribute _hidden"),
        ("list", "Odd changes its attribute history (its items)"),
        ("input", "Odd changes its input 0 in place"),
        ("draw", "Odd draws random numbers from Python or NumPy"),
    ],
)
def test_what_a_second_forward_would_do_twice_is_found_and_left_as_it_is(what, words):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Identity(), Odd(what), nn.Identity())
    saving = copy.deepcopy(plain)
    around = Checkpointed(keeps_products=False)
    call_around(saving[1], around)
    for model in (plain, saving):
        random.seed(0)
        for _ in range(3):
            model(torch.ones(2, 4)).sum().backward()
    assert words in around.why_not
    assert around.calls == 0
    assert all(map(torch.equal, (p.grad for p in saving.parameters()), (p.grad for p in plain.parameters())))
    assert plain[1].calls == saving[1].calls


@pytest.mark.parametrize("by_name", [False, True])
def test_an_input_that_is_changed_later_ends_the_run_in_place_of_wrong_gradients(by_name):
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x * x)

    block = Product()
    call_around(block, Checkpointed(keeps_products=False))
    block(torch.ones(2, 4)).sum().backward()
    x = torch.ones(2, 4)
    loss = (block(x=x) if by_name else block(x)).sum()
    x.add_(1)
    words = "changed in place after its forward pass" if by_name else "modified by an inplace operation"
    with pytest.raises(ChangedInputError if by_name else RuntimeError, match=words):
        loss.backward()


def test_hooks_and_compiled_layers_are_refused_before_a_call():
    hooked = Block()
    hooked.norm.register_forward_hook(lambda module, args, output: None)
    with pytest.raises(NotApplicable, match="BatchNorm2d 'norm' has hooks"):
        check_checkpointable(hooked)
    compiled = Block()
    compiled.conv.compile(backend="eager")
    with pytest.raises(NotApplicable, match="memory_budget"):
        check_checkpointable(compiled)


def test_without_gradients_nothing_is_done():
    model = nn.Sequential(*(Block() for _ in range(2)))
    around = around_each(model)
    with torch.no_grad():
        model(torch.randn(2, 4, 6, 6))
        model(torch.randn(2, 4, 6, 6))
    assert around.calls == 0
