"""A classifier of deformed digits, which are all made before the first step: half a minute on one core."""

from itertools import pairwise

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

COPIES, SIZE = 60, 24


def deformed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The digit at `SIZE` x `SIZE` pixels, bent by a smooth random field (Simard et al. 2003)."""
    rows, columns = np.meshgrid(*[np.linspace(0, 7, SIZE)] * 2, indexing="ij")
    bend = [gaussian_filter(rng.uniform(-1, 1, (SIZE, SIZE)), 4, mode="constant") * 12 for _ in range(2)]
    return map_coordinates(image, [rows + bend[0], columns + bend[1]], order=3, mode="nearest")


digits = load_digits()
rng = np.random.default_rng(0)
images = np.stack([deformed(image, rng) for image in digits.images for _ in range(COPIES)]) / 16.0
labels = torch.tensor(digits.target).repeat_interleave(COPIES)

torch.manual_seed(0)
inputs = torch.tensor(images, dtype=torch.float32)[:, None]
loader = DataLoader(TensorDataset(inputs, labels), batch_size=64, shuffle=True, drop_last=True)
widths = (1, 32, 64, 128)
layers: list[nn.Module] = []
for before, after in pairwise(widths):
    layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 3 * 3, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for epoch in range(100):
    total = 0.0
    for batch, target in loader:
        optimizer.zero_grad()
        loss = criterion(model(batch), target)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")
