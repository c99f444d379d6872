"""A ResNet of transformers, small, from random weights, on the digits of scikit-learn."""

import torch
from digits import digit_images
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import ResNetConfig, ResNetForImageClassification

torch.manual_seed(0)
loader = DataLoader(TensorDataset(*digit_images()), batch_size=32, shuffle=True, drop_last=True)
config = ResNetConfig(
    embedding_size=32,
    hidden_sizes=[32, 64, 128],
    depths=[2, 2, 2],
    layer_type="basic",
    num_labels=10,
)
model = ResNetForImageClassification(config)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)

for epoch in range(1000):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(pixel_values=images).logits, labels)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
