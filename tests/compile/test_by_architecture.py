import warnings

import pytest
import torch
from torch import nn

from hotloop.compile.by_architecture import ArchitectureCompiler, architecture_key
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

MSE = Supervised(criterion=nn.functional.mse_loss)


class Counting:
    """A backend that counts graphs and runs them as they are."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def chain(depth, width=3):
    return nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])


def batch(width=3, rows=4):
    return torch.randn(rows, width), torch.randn(rows, width)


def test_twelve_instances_of_one_architecture_are_one_graph():
    backend = Counting()
    compiler = ArchitectureCompiler(MSE, backend=backend)
    for _ in range(12):
        model = chain(2)
        compiler.of(model).loss(model, batch())
    assert (backend.graphs, compiler.report().architectures) == (1, 1)


@pytest.mark.parametrize("make", [lambda n: (chain(n + 1), 3), lambda n: (chain(2, n + 2), n + 2)])
def test_twelve_architectures_are_twelve_graphs_and_a_second_round_adds_none(make):
    backend = Counting()
    compiler = ArchitectureCompiler(MSE, backend=backend)
    for _ in range(2):
        for number in range(12):
            model, width = make(number)
            compiler.of(model).loss(model, batch(width))
        assert backend.graphs == 12
    report = compiler.report()
    assert (report.architectures, report.graphs, report.most_graphs, report.eager_calls) == (12, 12, 1, 0)


def test_eval_mode_adds_a_graph_only_with_dropout_and_no_grad_is_a_key_of_its_own():
    for model, extra in ((chain(1), 0), (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)), 1)):
        backend = Counting()
        compiler = ArchitectureCompiler(MSE, backend=backend)
        compiler.of(model).loss(model, batch())
        model.eval()
        compiler.of(model).loss(model, batch())
        assert backend.graphs == 1 + extra
        with torch.no_grad():
            compiler.of(model).loss(model, batch())
        assert (backend.graphs, compiler.report().architectures) == (2 + extra, 2)


def test_new_batch_sizes_add_one_graph_and_a_new_criterion_none():
    backend = Counting()
    model = chain(1)
    compiler = ArchitectureCompiler(MSE, backend=backend)
    for rows in (4, 5, 6, 7):
        compiler.of(model).loss(model, batch(rows=rows))
    assert backend.graphs == 2


def test_the_key_tells_shapes_dtypes_and_gradient_mode_apart_and_train_mode_not():
    model = chain(2)
    key = architecture_key(model)
    assert architecture_key(chain(2).eval()) == key
    assert (
        len({key, architecture_key(chain(3)), architecture_key(chain(2, 4)), architecture_key(chain(2).double())}) == 4
    )
    with torch.no_grad():
        assert architecture_key(model) != key


def test_the_limit_within_one_architecture_is_told_once_and_counted():
    class Switch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.mode = nn.Linear(3, 3), "0"

        def forward(self, x):
            return self.layer(x) * len(self.mode)

    told = []
    model, compiler = Switch(), ArchitectureCompiler(MSE, backend=Counting(), on_failure=lambda *why: told.append(why))

    def differences():
        for number in range(11):
            model.mode = "x" * (number + 1)
            given = batch()
            yield compiler.of(model).loss(model, given).value - MSE.loss(model, given).value

    with pytest.warns(RuntimeWarning, match="recompile limit of 8 variants was hit") as caught:
        found = list(differences())
    assert found == [0.0] * 11
    assert len([w for w in caught if "recompile limit" in str(w.message)]) == len(told) == 1
    assert (compiler.report().graphs, compiler.report().eager_calls) == (8, 3)


def broken(error):
    def backend(graph, inputs):
        raise error

    return backend


def test_a_backend_that_fails_is_told_once_training_goes_on_and_can_be_retried():
    torch.manual_seed(0)
    model, plain = chain(1), chain(1)
    plain.load_state_dict(model.state_dict())
    compiler = ArchitectureCompiler(MSE, backend=broken(NotImplementedError("no such operator")))
    batches = [batch() for _ in range(3)]

    def losses(model, strategy):
        found = []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(Job(model=model, optimizer=optimizer, batches=batches, strategy=strategy), epochs=1, on_step=found.append)
        return torch.stack(found)

    with pytest.warns(RuntimeWarning, match=r"NotImplementedError: no such operator") as caught:
        got = losses(model, compiler.of(model))
    assert len(caught) == 1
    assert got.equal(losses(plain, MSE))
    assert compiler.report().eager_calls == 3
    assert compiler.report().failures == {"Sequential 1": "NotImplementedError: no such operator"}
    compiler.retry()
    with pytest.warns(RuntimeWarning, match="no such operator"):
        compiler.of(model).loss(model, batch())


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory")])
def test_running_out_of_memory_is_raised(error):
    compiler = ArchitectureCompiler(MSE, backend=broken(error))
    model = chain(1)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiler.of(model).loss(model, batch())


def test_an_error_of_the_model_is_raised():
    class Wrong(nn.Linear):
        def forward(self, x):
            raise TypeError("mine")

    model = Wrong(3, 3)
    compiler = ArchitectureCompiler(MSE, backend=Counting())
    with pytest.raises(TypeError, match="mine"):
        compiler.of(model).loss(model, batch())


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"backend": "fast"}, {"backend": "eager", "mode": "default"}])
def test_unknown_modes_and_backends_are_refused_at_once(options):
    with pytest.raises(ValueError, match="allowed are"):
        ArchitectureCompiler(MSE, **options)


def test_ranks_take_a_graph_each_and_taking_turns_adds_none():
    backend, model = Counting(), nn.Linear(3, 3)
    compiler = ArchitectureCompiler(MSE, backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            for shape in ((4, 3), (2, 4, 3)):
                compiler.of(model).loss(model, (torch.randn(shape), torch.randn(shape)))
    assert backend.graphs == 2
