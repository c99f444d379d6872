"""skorch's NeuralNetClassifier on scikit-learn's digits, as its documentation begins: all settings are its defaults.

With --cured the edit that the top finding asks for: batches are indexed whole.
"""

import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn


class MyModule(nn.Module):
    def __init__(self, num_units=64):
        super().__init__()
        self.dense0 = nn.Linear(64, num_units)
        self.dropout = nn.Dropout(0.5)
        self.dense1 = nn.Linear(num_units, num_units)
        self.output = nn.Linear(num_units, 10)

    def forward(self, X):
        X = torch.relu(self.dense0(X))
        X = self.dropout(X)
        return torch.softmax(self.output(torch.relu(self.dense1(X))), dim=-1)


class WholeBatches:
    """Batches of a skorch data set in random order, each by one index."""

    def __init__(self, dataset, batch_size, shuffle=True):
        self.X, self.y = torch.from_numpy(dataset.X), torch.from_numpy(dataset.y)
        self.indices, self.batch_size = torch.arange(len(self.X)), batch_size

    def __iter__(self):
        for rows in self.indices[torch.randperm(len(self.X))].split(self.batch_size):
            yield self.X[rows], self.y[rows]


class WholeBatchesOfSubset(WholeBatches):
    """The same for the subset of the data set that skorch trains on."""

    def __init__(self, subset, batch_size, shuffle=True):
        super().__init__(subset.dataset, batch_size, shuffle)
        self.X, self.y = self.X[subset.indices], self.y[subset.indices]
        self.indices = torch.arange(len(self.X))


X, y = load_digits(return_X_y=True)
cured = {"iterator_train": WholeBatchesOfSubset} if "--cured" in sys.argv else {}
torch.manual_seed(0)
net = NeuralNetClassifier(MyModule, max_epochs=100_000, lr=0.1, iterator_train__shuffle=True, verbose=0, **cured)
net.fit(X.astype(np.float32) / 16, y.astype(np.int64))
