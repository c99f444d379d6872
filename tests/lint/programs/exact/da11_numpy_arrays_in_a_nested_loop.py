import numpy as np
import torch


def result():
    seen = np.empty(0)
    for i in range(3):
        for j in range(i):
            seen = np.concatenate([seen, np.full(j, i)])
    return torch.from_numpy(seen)
