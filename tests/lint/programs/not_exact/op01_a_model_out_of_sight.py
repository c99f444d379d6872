import torch


def f(model, loader):
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for x in loader:
        opt.zero_grad(set_to_none=False)
        model(x).sum().backward()
        opt.step()
