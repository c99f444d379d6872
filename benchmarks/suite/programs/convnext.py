"""A ConvNeXt of transformers, small, from random weights, on the digits of scikit-learn."""

import torch
from digits import digit_images
from torch.utils.data import DataLoader, TensorDataset
from transformers import ConvNextConfig, ConvNextForImageClassification

torch.manual_seed(0)
loader = DataLoader(TensorDataset(*digit_images()), batch_size=32, shuffle=True, drop_last=True)
config = ConvNextConfig(
    patch_size=2,
    hidden_sizes=[32, 64, 128],
    depths=[2, 2, 2],
    num_stages=3,
    num_labels=10,
)
model = ConvNextForImageClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)

for epoch in range(1000):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = model(pixel_values=images, labels=labels).loss
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
