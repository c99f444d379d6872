"""An Accelerate loop on a small, randomly initialised vision transformer with synthetic images."""

import argparse

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader, TensorDataset
from transformers import ViTConfig, ViTForImageClassification, get_cosine_schedule_with_warmup


def images(size):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(size) % 4
    pixels = torch.randn(size, 3, 32, 32, generator=generator)
    for label in range(4):  # one quarter of the picture is brighter
        top, left = 16 * (label // 2), 16 * (label % 2)
        pixels[labels == label, :, top : top + 16, left : left + 16] += 0.3
    return TensorDataset(pixels, labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024)
    args = parser.parse_args()

    set_seed(0)
    accelerator = Accelerator(cpu=True)
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=128, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=512, num_labels=4,
    )  # fmt: skip
    model = ViTForImageClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = DataLoader(images(args.size), batch_size=16, shuffle=True)
    scheduler = get_cosine_schedule_with_warmup(optimizer, 10, args.epochs * len(loader))
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)

    step = 0
    for epoch in range(args.epochs):
        for pixels, labels in loader:
            loss = model(pixel_values=pixels, labels=labels).loss
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            step += 1
            if step % 20 == 0:
                accelerator.print(f"epoch {epoch} step {step} loss {loss.item():.4f}")
    accelerator.print("done")


if __name__ == "__main__":
    main()
