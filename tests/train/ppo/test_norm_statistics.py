import torch
from torch import nn

from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.norm_statistics import NormStatistics


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.head = nn.BatchNorm1d(3), nn.Dropout(0.9), nn.Linear(3, 1)

    def forward(self, x):
        y = self.drop(self.norm(x))
        return y, self.head(y)


def test_statistics_move_by_the_momentum_and_nothing_else_changes():
    model = Net().eval()
    rows = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) * 2 + 5
    NormStatistics(model, NetworkCall(None)).move(rows, 0.25)
    torch.testing.assert_close(model.norm.running_mean, 0.25 * rows.mean(0))
    torch.testing.assert_close(model.norm.running_var, 0.75 + 0.25 * rows.var(0))
    assert model.norm.momentum == 0.1
    assert not any(module.training for module in model.modules())


def test_a_momentum_of_one_takes_the_statistics_over():
    model = Net().eval()
    rows = torch.randn(64, 3) + 5
    NormStatistics(model, NetworkCall(None)).move(rows, 1.0)
    torch.testing.assert_close(model(rows)[0].mean(0), torch.zeros(3), atol=1e-5, rtol=0)


def test_a_model_without_batch_norm_needs_none():
    assert not NormStatistics(nn.Linear(2, 2), NetworkCall(None)).is_needed
