"""skorch's NeuralNetClassifier in a scikit-learn pipeline, on digits."""

import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn


class MLP(nn.Module):
    def __init__(self, width=1024, dropout=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 10),
        )

    def forward(self, x):
        return self.layers(x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args()

    torch.manual_seed(0)
    np.random.seed(0)
    pixels, labels = load_digits(return_X_y=True)
    net = NeuralNetClassifier(
        MLP,
        max_epochs=args.epochs,
        batch_size=args.batch_size,
        lr=1e-3,
        optimizer=torch.optim.AdamW,
        criterion=nn.CrossEntropyLoss,
        iterator_train__shuffle=True,
    )
    pipeline = make_pipeline(StandardScaler(), net)
    pipeline.fit(pixels.astype(np.float32), labels.astype(np.int64))
    print(f"done: train accuracy {pipeline.score(pixels.astype(np.float32), labels):.3f}")


if __name__ == "__main__":
    main()
