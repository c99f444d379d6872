# ruff: noqa
"""A teacher is trained, frozen, and taught from: two networks, one optimizer after another."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(512, 32)
loader = DataLoader(TensorDataset(x, (x[:, :4].sum(1) > 0).long()), 64, shuffle=True, drop_last=True)
teacher = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 2))
student = nn.Sequential(nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 2))
first = torch.optim.Adam(teacher.parameters())
for epoch in range(2):
    for rows, labels in loader:
        first.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(teacher(rows), labels).backward()
        first.step()
teacher.eval().requires_grad_(False)
second = torch.optim.SGD(student.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(second, 40)
for epoch in range(5):
    for rows, labels in loader:
        with torch.no_grad():
            soft = (teacher(rows) / 4).softmax(-1)
        out = student(rows)
        loss = nn.functional.kl_div((out / 4).log_softmax(-1), soft, reduction="batchmean") * 16
        loss = 0.7 * loss + 0.3 * nn.functional.cross_entropy(out, labels)
        second.zero_grad()
        loss.backward()
        second.step()
        schedule.step()
