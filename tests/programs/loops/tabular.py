"""Rows of categories and numbers, with an embedding for each category and dropout."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CARDINALITIES = [12, 7, 30]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(n, 6) for n in CARDINALITIES])
        self.body = nn.Sequential(nn.Linear(6 * 3 + 5, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2))

    def forward(self, categories, numbers):
        columns = [embed(categories[:, i]) for i, embed in enumerate(self.embeddings)]
        return self.body(torch.cat([*columns, numbers], dim=1))


def main():
    torch.manual_seed(2)
    categories = torch.stack([torch.randint(0, n, (1600,)) for n in CARDINALITIES], dim=1)
    numbers = torch.randn(1600, 5)
    labels = (numbers[:, 0] + categories[:, 1] % 2 > 0.5).long()
    loader = DataLoader(TensorDataset(categories, numbers, labels), batch_size=64, shuffle=True)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    step, running, correct = 0, 0.0, 0
    for epoch in range(3):
        for cat, num, label in loader:
            logits = model(cat, num)
            loss = loss_fn(logits, label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            running = 0.9 * running + 0.1 * loss.item()
            correct += (logits.argmax(dim=1) == label).sum().item()
            if step % 20 == 0:
                print(f"step {step}: loss {running:.3f}")


if __name__ == "__main__":
    main()
