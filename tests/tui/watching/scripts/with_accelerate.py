"""Accelerate, with accumulated gradients."""

import torch
from accelerate import Accelerator
from torch import nn

torch.manual_seed(0)
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
model, optimizer = accelerator.prepare(model, optimizer)
for _ in range(28):
    x = torch.randn(32, 8)
    with accelerator.accumulate(model):
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    print(loss.item().hex(), flush=True)
