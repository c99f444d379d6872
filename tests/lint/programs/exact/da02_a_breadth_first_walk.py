import torch


def result():
    queue = [1]
    seen = []
    while queue:
        n = queue.pop(0)
        seen.append(n)
        if n < 20:
            queue.extend([2 * n, 2 * n + 1])
    return torch.tensor(seen)
