"""Small networks of every common kind, to test what is observed in them."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class ConvFunctional(nn.Module):
    """Convolutions, batch norm, F.relu, F.max_pool2d, a transposed convolution, F.dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.max_pool2d(self.norm(self.first(x)), 2))
        x = functional.dropout(x, 0.25, self.training)
        x = torch.tanh(self.up(x))
        return self.head(x.mean((2, 3)))


class Recurrent(nn.Module):
    """Embedding, a recurrent layer, and a head on the last step."""

    def __init__(self, kind: str = "LSTM", **options: object) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.memory = getattr(nn, kind)(6, 5, batch_first=True, **options)
        self.head = nn.Linear(5 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.memory(self.words(tokens))[0][:, -1])


class Unrolled(nn.Module):
    """A cell that is called at every step."""

    def __init__(self, kind: str = "LSTMCell") -> None:
        super().__init__()
        self.cell, self.head = getattr(nn, kind)(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


class Bare(nn.Module):
    """Its own parameters, used with @, as a transposed view and by F.linear; GELU as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.randn(6, 8) * 0.5)
        self.across = nn.Parameter(torch.randn(7, 8) * 0.5)
        self.out_weight = nn.Parameter(torch.randn(3, 7) * 0.5)
        self.bias = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.gelu(x @ self.into)
        x = (x @ self.across.t()).sigmoid()
        return functional.linear(x, self.out_weight, self.bias)


class Attending(nn.Module):
    """A residual block of attention and layer norm, before it as in a GPT."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head(x.mean(1))


class Gated(nn.Module):
    """SwiGLU between RMS norms that are made by hand, as in a Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.scale = nn.Linear(6, 8), nn.Parameter(torch.ones(8))
        self.gate, self.up = nn.Linear(8, 10, bias=False), nn.Linear(8, 10, bias=False)
        self.down, self.head = nn.Linear(10, 8, bias=False), nn.Linear(8, 3)

    def normed(self, x: Tensor) -> Tensor:
        return self.scale * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.normed(x)
        x = x + self.down(functional.silu(self.gate(y)) * self.up(y))
        return self.head(self.normed(x))


class BasicBlock(nn.Module):
    """A ResNet's block with a projection on the shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.shortcut = nn.Sequential(nn.Conv2d(2, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.head(self.relu(y).mean((2, 3)))


def transformer_layer(norm_first: bool = False) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        8, 2, 12, 0.1, "gelu", batch_first=True, norm_first=norm_first
    )
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(5 * 8, 3))


def data(*shape: int, tokens: bool = False, rows: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = (
        torch.randint(11, (rows, *shape), generator=generator)
        if tokens
        else torch.randn(rows, *shape, generator=generator)
    )
    return x, torch.randint(3, (rows,), generator=generator)


KINDS = {
    "convolution": (ConvFunctional, data(2, 8, 8)),
    "lstm": (Recurrent, data(5, tokens=True)),
    "stacked": (
        lambda: Recurrent(num_layers=2, bidirectional=True, dropout=0.3),
        data(5, tokens=True),
    ),
    "gru": (lambda: Recurrent("GRU"), data(5, tokens=True)),
    "rnn": (lambda: Recurrent("RNN", nonlinearity="relu"), data(5, tokens=True)),
    "cell": (Unrolled, data(5, 6)),
    "bare": (Bare, data(6)),
    "attention": (Attending, data(5, 8)),
    "gated": (Gated, data(6)),
    "block": (BasicBlock, data(2, 6, 6)),
    "post-norm": (transformer_layer, data(5, 8)),
    "pre-norm": (lambda: transformer_layer(True), data(5, 8)),
}
