"""Fourteen small networks as people write them, in plain torch, and faults to put into them.

It imports nothing of caveats: python benchmarks/watching/zoo.py gpt --fault zero_init --seed 3
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

STEPS = 400
Batch = tuple[Tensor, ...]


def digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


IMAGES, LABELS = digits()
SCALED = (IMAGES - IMAGES.mean()) / IMAGES.std()


def images(size: int = 64) -> Iterator[Batch]:
    while True:
        rows = torch.randint(0, len(SCALED), (size,))
        yield SCALED[rows], LABELS[rows]


def sequences(length: int = 12, size: int = 64) -> Iterator[Batch]:
    """Which of four values was the largest on average: needs the whole sequence."""
    while True:
        x = torch.randn(size, length, 4)
        yield x, x.mean(1).argmax(1)


def tokens(length: int = 16, size: int = 32, vocabulary: int = 16) -> Iterator[Batch]:
    """Arithmetic progressions modulo the vocabulary: each token follows from the two before."""
    while True:
        start = torch.randint(0, vocabulary, (size, 1))
        step = torch.randint(1, 4, (size, 1))
        row = (start + step * torch.arange(length + 1)) % vocabulary
        yield row[:, :-1], row[:, 1:]


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x
        return F.relu(out, inplace=True)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*(Block(16) for _ in range(3)))
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn(self.stem(x))))
        return self.head(F.max_pool2d(x, 4).mean((2, 3)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.mix, self.out = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        x = torch.cat([F.relu(self.up(b)), a], 1)
        return self.out(F.relu(self.mix(x)))


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
        self.decoder = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 64))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x.flatten(1)))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rnn = kind(4, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.causal = heads, causal

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        shape = rows, length, self.heads, width // self.heads
        q, k, v = (t.view(shape).transpose(1, 2) for t in self.qkv(x).split(width, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(rows, length, width))


class Layer(nn.Module):
    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, 4, causal)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.ln1(x))
        return x + self.proj(F.gelu(self.fc(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int = 16, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(16, width)
        self.h = nn.ModuleList(Layer(width, True) for _ in range(layers))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        for layer in self.h:
            x = layer(x)
        return self.head(self.ln(x))


class ViT(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.position = nn.Parameter(0.02 * torch.randn(16, width))
        self.layers = nn.ModuleList(Layer(width, False) for _ in range(2))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        for layer in self.layers:
            x = layer(x)
        return self.head(self.ln(x).mean(1))


class Encoder(nn.Module):
    """Torch's own layers, whose attention is nn.MultiheadAttention."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patch = nn.Linear(4, width)
        self.position = nn.Parameter(0.02 * torch.randn(16, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = F.unfold(x, 2, stride=2).transpose(1, 2)
        return self.head(self.layers(self.patch(patches) + self.position).mean(1))


class Mixture(nn.Module):
    """A mixture of experts: each row goes to the expert that the router likes best."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.router = nn.Linear(64, 32), nn.Linear(32, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(4)
        )
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x.flatten(1)))
        weights, which = self.router(x).softmax(1).max(1)
        out = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            rows = (which == index).nonzero().flatten()
            if len(rows):
                out = out.index_add(0, rows, expert(x[rows]) * weights[rows, None])
        return self.head(x + out)


def classify(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def next_token(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def denoise(model: nn.Module, batch: Batch) -> Tensor:
    x = batch[0]
    return F.mse_loss(model(x + 0.5 * torch.randn_like(x)), x)


def rebuild(model: nn.Module, batch: Batch) -> Tensor:
    return F.mse_loss(model(batch[0]), batch[0].flatten(1))


Entry = tuple[Callable[[], nn.Module], Callable[[], Iterator[Batch]], Callable[..., Tensor], float]
Zoo = dict[str, Entry]
ZOO: Zoo = {
    "mlp": (MLP, images, classify, 1e-3),
    "cnn": (CNN, images, classify, 1e-3),
    "resnet": (ResNet, images, classify, 1e-3),
    "unet": (UNet, images, denoise, 2e-3),
    "autoencoder": (Autoencoder, images, rebuild, 2e-3),
    "lstm": (lambda: Recurrent(nn.LSTM), sequences, classify, 5e-3),
    "gru": (lambda: Recurrent(nn.GRU), sequences, classify, 5e-3),
    "rnn": (lambda: Recurrent(nn.RNN), sequences, classify, 2e-3),
    "gpt": (GPT, tokens, next_token, 3e-3),
    "vit": (ViT, images, classify, 2e-3),
    "encoder": (Encoder, images, classify, 2e-3),
    "moe": (Mixture, images, classify, 2e-3),
}


def layers_of(model: nn.Module) -> list[nn.Module]:
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    return [m for m in model.modules() if isinstance(m, kinds)]


def matrices(model: nn.Module) -> list[Tensor]:
    return [p for p in model.parameters() if p.ndim > 1]


SCALES = {"zero_init": 0.0, "tiny_init": 0.01, "huge_init": 30.0}


@torch.no_grad()
def damage(model: nn.Module, fault: str) -> None:
    """Faults of the start, on the weights."""
    if fault in SCALES:
        for p in matrices(model):
            p.mul_(SCALES[fault])
    elif fault == "constant_init":
        for p in matrices(model):
            p.fill_(0.05)
    elif fault == "dead_start":
        for layer in layers_of(model)[:-1]:
            if layer.bias is not None:
                layer.bias -= 20.0
    elif fault == "sharp_attention":
        for name, p in model.named_parameters():
            if name.endswith(("qkv.weight", "in_proj_weight")):
                p[: 2 * len(p) // 3] *= 30.0  # the queries and the keys
    elif fault == "stuck_gates":
        stick(model.rnn)


def stick(layer: nn.RNNBase) -> None:
    """An input gate of an LSTM that lets nothing in, an update gate of a GRU that keeps all."""
    units = layer.hidden_size
    if isinstance(layer, nn.LSTM):
        layer.bias_ih_l0[:units] -= 20.0
    else:
        layer.bias_ih_l0[units : 2 * units] += 20.0


FAULTS = (
    "dead_start", "zero_init", "constant_init", "tiny_init", "huge_init", "lr_huge", "lr_tiny",
    "unscaled_inputs", "not_zeroed", "forgotten_layer", "other_model", "detached", "bad_batches",
    "not_a_number", "sharp_attention", "stuck_gates", "short_memory", "decayed",
)  # fmt: skip
ONLY = {  # faults that only some networks can have
    "sharp_attention": {"gpt", "vit", "encoder"}, "stuck_gates": {"lstm", "gru"},
    "short_memory": {"lstm", "gru", "rnn"},
}  # fmt: skip
NOISE = 60  # steps after those that the answer depends on
DECAY = 100.0
FACTOR = 300.0  # of inputs that are not scaled
RATES = {"lr_huge": 3e2, "lr_tiny": 1e-4}


def parameters(model: nn.Module, fault: str) -> list[Tensor]:
    if fault == "forgotten_layer":
        left_out = {id(p) for p in layers_of(model)[0].parameters()}
        return [p for p in model.parameters() if id(p) not in left_out]
    if fault == "other_model":
        model.twin = [copy.deepcopy(model)]
        return list(model.twin[0].parameters())
    return list(model.parameters())


def spoiled(batch: Batch, fault: str, step: int) -> Batch:
    x = batch[0]
    if not x.is_floating_point():
        return batch
    if fault == "unscaled_inputs":
        return (FACTOR * x + 1000.0, *batch[1:])
    if fault == "bad_batches" and step >= 200 and step % 25 == 0:
        return (100.0 * x, *batch[1:])
    if fault == "short_memory":
        return (torch.cat([x, torch.randn(len(x), NOISE, x.shape[2])], 1), *batch[1:])
    if fault == "not_a_number" and step == 100:
        return (x * math.nan, *batch[1:])
    return batch


def optimizer_of(model: nn.Module, fault: str, lr: float) -> torch.optim.Optimizer:
    damage(model, fault)
    decay = DECAY if fault == "decayed" else 0.01
    return torch.optim.AdamW(
        parameters(model, fault), lr=lr * RATES.get(fault, 1.0), weight_decay=decay
    )


Trained = tuple[list[float], tuple[float, float] | None]  # losses; the error before and after


def train_gan(fault: str, steps: int) -> Trained:
    """A generator of images against a critic, each with its optimizer. 400 steps are too few for a
    number that says how good its images are."""
    maker = nn.Sequential(
        nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)
    )
    critic = nn.Sequential(
        nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
    )
    of_maker, of_critic = optimizer_of(maker, fault, 5e-4), optimizer_of(critic, fault, 5e-4)
    losses = []
    for step, batch in zip(range(steps), images(), strict=False):
        real = spoiled(batch, fault, step)[0].flatten(1)
        made = maker(torch.randn(len(real), 16))
        loss = F.softplus(-critic(real)).mean() + F.softplus(critic(made.detach())).mean()
        if fault != "not_zeroed":
            of_critic.zero_grad()
        (loss.detach().requires_grad_() if fault == "detached" else loss).backward()
        of_critic.step()
        fooled = F.softplus(-critic(made)).mean()
        if fault != "not_zeroed":
            of_maker.zero_grad()
        (fooled.detach().requires_grad_() if fault == "detached" else fooled).backward()
        of_maker.step()
        losses.append(loss.item())
    return losses, None


def true_values() -> Tensor:
    """(10, 2): what a step to the left and one to the right are worth on the walk of `train_dqn`,
    if all later steps go to the right."""
    to = torch.stack([torch.arange(10) - 1, torch.arange(10) + 1], 1).clamp(0, 9)
    best = 10 * 0.9 ** (8.0 - to).clamp(min=0)
    return (to == 9).float() + 0.9 * best


def train_dqn(fault: str, steps: int) -> Trained:
    """Q-learning on a walk over ten places, whose right end is rewarded. Its error is the root of
    the mean squared error of its values."""
    model = nn.Sequential(
        nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )
    optimizer = optimizer_of(model, fault, 1e-3)
    target = copy.deepcopy(model)
    places = torch.eye(10)

    @torch.no_grad()
    def error() -> float:
        (seen,) = spoiled((places,), fault, 0)
        return float((model(seen) - true_values()).square().mean().sqrt())

    losses, begin = [], error()
    for step in range(steps):
        if step % 20 == 0:
            target.load_state_dict(model.state_dict())
        at, act = torch.randint(0, 10, (64,)), torch.randint(0, 2, (64,))
        to = (at + 2 * act - 1).clamp(0, 9)
        reward = (to == 9).float()
        (seen,) = spoiled((places[at],), fault, step)
        with torch.no_grad():
            (then,) = spoiled((places[to],), fault, 0)
            best = reward + 0.9 * target(then).max(1).values
        value = model(seen).gather(1, act[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(value, best)
        if fault != "not_zeroed":
            optimizer.zero_grad()
        (loss.detach().requires_grad_() if fault == "detached" else loss).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, (begin, error())


OTHERS = {"gan": train_gan, "dqn": train_dqn}


Began = Callable[[nn.Module, torch.optim.Optimizer], Callable[[float], object]]


def train(name: str, fault: str, seed: int, **given: Any) -> list[float]:
    """The losses of `train_and_judge`."""
    return train_and_judge(name, fault, seed, **given)[0]


def train_and_judge(
    name: str,
    fault: str,
    seed: int,
    steps: int = STEPS,
    kind: str = "adam",
    began: Began | None = None,
) -> Trained:
    """Train one network; returns its losses and, where they do not say how good it is, its error
    before and after. ``began`` is given the model and its optimizer, and returns a function that is
    given the loss of each step."""
    torch.manual_seed(seed)
    if name in OTHERS:
        return OTHERS[name](fault, steps)
    make, batches, loss_of, lr = ZOO[name]
    model = make()
    optimizer = optimizer_of(model, fault, lr)
    if kind == "sgd":
        rate = 20 * lr * RATES.get(fault, 1.0)
        optimizer = torch.optim.SGD(parameters(model, fault), lr=rate, momentum=0.9)
    after = (lambda loss: None) if began is None else began(model, optimizer)
    losses = []
    for step, batch in zip(range(steps), batches(), strict=False):
        loss = loss_of(model, spoiled(batch, fault, step))
        if fault == "detached":
            loss = loss.detach().requires_grad_()
        if fault != "not_zeroed":
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after(losses[-1])
    return losses, None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=[*ZOO, *OTHERS])
    parser.add_argument("--fault", choices=["none", *FAULTS], default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    losses = train(arguments.name, arguments.fault, arguments.seed, steps=arguments.steps)
    print(*(f"{loss:.6f}" for loss in losses[:: max(1, len(losses) // 20)]), sep="\n")


if __name__ == "__main__":
    main()
