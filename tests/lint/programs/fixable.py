"""A small seeded training with findings that can be fixed; prints every loss to the last bit."""

import logging
from collections import OrderedDict

import torch
from torch.utils.data import DataLoader, TensorDataset

logger = logging.getLogger(__name__)

NUM_BATCHES = 5  # of the eight that the loader has


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.drop = torch.nn.Dropout(0.2)
        self.last = torch.nn.Linear(16, 1)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return self.last(self.drop(hidden))


def main():
    torch.manual_seed(3)
    x = torch.randn(64, 8)
    dataset = TensorDataset(x, x.sum(1, keepdim=True).sin())
    loader = DataLoader(dataset, batch_size=8, shuffle=True)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    outputs = torch.empty(0)
    window = [torch.zeros(())]
    seen = OrderedDict()
    order = torch.argsort(x[:, 0])
    for epoch in range(3):
        scales = torch.stack([x[row] for row in order[epoch : epoch + 3]]).square().mean()
        for i, (features, target) in enumerate(loader):
            if i >= NUM_BATCHES:
                break
            scale = torch.tensor(0.5, device=features.device)
            optimizer.zero_grad(set_to_none=False)  # noqa: X100
            loss = torch.nn.functional.mse_loss(model(features), target) * scale * scales
            loss.backward()
            optimizer.step()
            # keep what the model said
            outputs = torch.cat([outputs, loss.detach().reshape(1)])  # noqa: X200
            window.append(loss.detach())
            window.pop(0)
            logger.debug(f"epoch {epoch} batch {i} loss {loss.item():.3f}")
        seen[epoch] = len(window)
    for value in outputs.tolist():
        print(value.hex())
    print(float(window[0]).hex(), dict(seen), float(torch.randn(()).item()).hex())


if __name__ == "__main__":
    main()
