import torch


class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(2, 2)
        self.b = torch.nn.Linear(2, 2)

    def forward(self, x):
        return self.a(x)


def f(loader):
    model = M()
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for x in loader:
        opt.zero_grad(set_to_none=False)
        model(x).sum().backward()
        opt.step()
