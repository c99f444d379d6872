"""A vision transformer of transformers, small, from random weights, on the digits of scikit-learn."""

import torch
from digits import digit_images
from torch.utils.data import DataLoader, TensorDataset
from transformers import ViTConfig, ViTForImageClassification

torch.manual_seed(0)
loader = DataLoader(TensorDataset(*digit_images()), batch_size=32, shuffle=True, drop_last=True)
config = ViTConfig(
    image_size=32,
    patch_size=4,
    hidden_size=128,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=512,
    num_labels=10,
)
model = ViTForImageClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)

for epoch in range(1000):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = model(pixel_values=images, labels=labels).loss
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
