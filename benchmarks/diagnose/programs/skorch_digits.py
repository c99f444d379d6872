"""skorch's NeuralNetClassifier on scikit-learn's digits, as its documentation begins: all settings are its defaults."""

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


X, y = load_digits(return_X_y=True)
torch.manual_seed(0)
net = NeuralNetClassifier(MyModule, max_epochs=100_000, lr=0.1, iterator_train__shuffle=True, verbose=0)
net.fit(X.astype(np.float32) / 16, y.astype(np.int64))
