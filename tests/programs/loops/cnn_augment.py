"""A CNN with batch norm on made-up images that are flipped and shifted at random; a Trainer holds the loop."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Images(Dataset):
    def __init__(self, n):
        self.labels = torch.randint(0, 4, (n,))
        self.images = torch.randn(n, 1, 16, 16) + self.labels.view(-1, 1, 1, 1) * 0.2

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        shift = int(torch.randint(-2, 3, ()))
        return image.roll(shift, dims=-1), self.labels[index]


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


class Trainer:
    def __init__(self, model, loader, device="cpu"):
        self.model = model.to(device)
        self.loader = loader
        self.device = device
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
        self.global_step = 0
        self.losses = []

    def train_one_epoch(self):
        self.model.train()
        for images, labels in self.loader:
            images, labels = images.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            outputs = self.model(images)
            loss = F.cross_entropy(outputs, labels, label_smoothing=0.1)
            loss.backward()
            self.optimizer.step()
            self.global_step += 1
            self.losses.append(loss.item())

    def fit(self, epochs):
        for epoch in range(epochs):
            self.train_one_epoch()
            print(f"epoch {epoch}: {sum(self.losses[-10:]) / 10:.4f} after {self.global_step} steps")


if __name__ == "__main__":
    torch.manual_seed(5)
    trainer = Trainer(make_model(), DataLoader(Images(640), batch_size=32, shuffle=True, drop_last=True))
    trainer.fit(3)
