"""Trainings as people write them, which know nothing of caveats: each returns its losses and the
models at its end."""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Result = tuple[list[float], list[nn.Module]]
TRAININGS: dict[str, Callable[[], Result]] = {}
STEPS = 14


def training(make: Callable[[], Result]) -> Callable[[], Result]:
    TRAININGS[make.__name__] = make
    return make


def batch() -> tuple[Tensor, Tensor]:
    x = torch.randn(32, 12)
    return x, x[:, :4].argmax(1)


def mlp(inplace: bool = False) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(12, 16), nn.ReLU(inplace), nn.Dropout(0.1), nn.Linear(16, 16), nn.ReLU(inplace),
        nn.Linear(16, 4),
    )  # fmt: skip


def loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    forward: Callable[[Tensor], Tensor] | None = None,
    set_to_none: bool = True,
) -> Result:
    losses = []
    for _ in range(STEPS):
        x, y = batch()
        loss = functional.cross_entropy((forward or model)(x), y)
        optimizer.zero_grad(set_to_none=set_to_none)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [model]


@training
def plain() -> Result:
    model = mlp()
    return loop(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


@training
def inplace_activations() -> Result:
    model = mlp(inplace=True)
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def gradients_set_to_zero() -> Result:
    model = mlp()
    return loop(model, torch.optim.Adam(model.parameters()), set_to_none=False)


@training
def fused() -> Result:
    model = mlp()
    return loop(model, torch.optim.AdamW(model.parameters(), fused=True))


@training
def foreach() -> Result:
    model = mlp()
    return loop(model, torch.optim.AdamW(model.parameters(), foreach=True))


class Shared(nn.Module):
    """One layer used twice, and its weight a third time by a functional call."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 12)
        self.last = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        x = functional.relu_(self.first(x))
        x = x + torch.tanh(x @ self.first.weight)
        return self.last(x)


@training
def shared_weights() -> Result:
    model = Shared()
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def accumulated_gradients() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    losses = []
    for step in range(3 * STEPS):
        x, y = batch()
        loss = functional.cross_entropy(model(x), y) / 3
        loss.backward()
        losses.append(loss.item())
        if step % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
    return losses, [model]


@training
def closures_of_lbfgs() -> Result:
    model = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 4))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    x, y = batch()
    losses = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)
    return losses, [model]


@training
def loss_scaler() -> Result:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)
    losses = []
    for _ in range(STEPS):
        x, y = batch()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses, [model]


@training
def bfloat16_autocast() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())

    def forward(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(x)

    return loop(model, optimizer, lambda x: forward(x).float())


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.2))
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_() if self.reentrant else x
        hidden = checkpoint(self.first, x, use_reentrant=self.reentrant)
        return self.last(hidden)


@training
def checkpointed() -> Result:
    model = Checkpointed(False)
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def checkpointed_reentrant() -> Result:
    model = Checkpointed(True)
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def several_passes_a_step() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    losses = []
    for _ in range(STEPS):
        (a, y), (b, _) = batch(), batch()
        loss = functional.cross_entropy(model(a), y) + (model(a) - model(b)).square().mean()
        with torch.no_grad():
            model.eval()
            model(b)
            model.train()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [model]


@training
def compiled_network() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    return loop(model, optimizer, torch.compile(model, backend="eager"))


@training
def compiled_before_its_optimizer() -> Result:
    model = torch.compile(mlp(), backend="aot_eager")
    losses, _ = loop(model, torch.optim.Adam(model.parameters()))
    return losses, [model._orig_mod]


@training
def compiled_in_place() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    model.compile(backend="aot_eager")
    return loop(model, optimizer)


@training
def compiled_in_part() -> Result:
    model = mlp()
    model[3] = torch.compile(model[3], backend="aot_eager")
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def compiled_step_of_the_optimizer() -> Result:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    torch.compile(optimizer.step, backend="eager")
    return loop(model, optimizer)


@training
def compiled_function() -> Result:
    """A function that is compiled, and calls the whole model."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())

    @torch.compile(backend="aot_eager")
    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(model(x), y)

    losses = []
    for _ in range(STEPS):
        x, y = batch()
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [model]


class CallsCompiled(nn.Module):
    """Its activation is a function that was compiled before anything was watched."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 16), nn.Linear(16, 4)
        self.act = torch.compile(lambda x: functional.gelu(x) * 2, backend="aot_eager")

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act(self.first(x)))


@training
def compiled_activation() -> Result:
    model = CallsCompiled()
    return loop(model, torch.optim.Adam(model.parameters()))


@training
def batch_norm_and_residuals() -> Result:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return functional.relu(x + self.norm(self.conv(x)), inplace=True)

    model = nn.Sequential(
        nn.Unflatten(1, (3, 2, 2)), Block(), Block(), nn.Flatten(), nn.Linear(12, 4)
    )
    return loop(model, torch.optim.SGD(model.parameters(), lr=0.05))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 6)
        self.lstm = nn.LSTM(6, 8, num_layers=2, dropout=0.1, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.lstm(self.embed((x.abs() * 3).long().clamp(max=8)))
        h, _ = self.attention(h, h, h)
        return self.last(h.mean(1))


@training
def lstm_and_attention() -> Result:
    model = Recurrent()
    return loop(model, torch.optim.Adam(model.parameters()))


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 6)
        self.gru = nn.GRU(6, 8, num_layers=2, dropout=0.1, batch_first=True, bidirectional=True)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        lengths = [4 - row % 3 for row in range(len(x))]
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(x.unflatten(1, (4, 3))), lengths, batch_first=True, enforce_sorted=False
        )
        h, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return self.last(h.mean(1))


@training
def packed_sequences() -> Result:
    model = Packed()
    return loop(model, torch.optim.Adam(model.parameters()))


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.last = nn.Linear(3, 48), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.qkv(x.unflatten(1, (4, 3))).unflatten(-1, (3, 2, 8)).transpose(1, 3).unbind(2)
        )
        h = functional.scaled_dot_product_attention(q, k, v, is_causal=True)  # (n, 2, 4, 8)
        return self.last(h.transpose(1, 2).flatten(2).mean(1))


@training
def fused_attention() -> Result:
    model = Heads()
    return loop(model, torch.optim.Adam(model.parameters()))


class CallsForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last.forward(self.act.forward(self.first.forward(x)))


@training
def forward_is_called_itself() -> Result:
    model = CallsForward()
    return loop(model, torch.optim.Adam(model.parameters()), model.forward)


@training
def layers_that_train_themselves() -> Result:
    """As in the forward-forward algorithm: each layer has its own loss and optimizer."""

    class Layer(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
            return torch.relu(torch.mm(direction, self.weight.T) + self.bias.unsqueeze(0))

    layers = [Layer(12, 16), Layer(16, 16)]
    optimizers = [torch.optim.Adam(layer.parameters(), lr=0.03) for layer in layers]
    losses = []
    for _ in range(STEPS):
        x, _ = batch()
        for layer, optimizer in zip(layers, optimizers, strict=True):
            loss = functional.softplus(2 - layer.forward(x).square().mean(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            x = layer.forward(x).detach()
            losses.append(loss.item())
    return losses, list(layers)


@training
def copied_saved_and_scripted() -> Result:
    """The whole model is copied, pickled and translated between two steps."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    losses = []
    for _ in range(STEPS):
        target = copy.deepcopy(model)
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        for other in (target, loaded):
            assert not any(m._forward_hooks or m._forward_pre_hooks for m in other.modules())
            assert not any("forward" in vars(m) for m in other.modules())
        x, y = batch()
        loss = functional.cross_entropy(model(x), y)
        loss = loss + (target(x).detach() - loaded(x).detach() - model(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    torch.jit.script(model)
    return losses, [model]


@training
def two_networks() -> Result:
    """A GAN: each network has its own optimizer, and the second's loss goes through the first."""
    generator, critic = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 12)), mlp()
    critic[5] = nn.Linear(16, 1)
    of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
    of_critic = torch.optim.Adam(critic.parameters(), lr=1e-3)
    losses = []
    for _ in range(STEPS):
        real, _ = batch()
        fake = generator(torch.randn(32, 5))
        of_critic.zero_grad()
        loss = (
            functional.softplus(-critic(real)).mean()
            + functional.softplus(critic(fake.detach())).mean()
        )
        loss.backward()
        of_critic.step()
        of_generator.zero_grad()
        own = functional.softplus(-critic(fake)).mean()
        own.backward()
        of_generator.step()
        losses += [loss.item(), own.item()]
    return losses, [generator, critic]


@training
def updated_by_hand() -> Result:
    model = mlp()
    losses = []
    for _ in range(STEPS):
        x, y = batch()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
                p.grad = None
        losses.append(loss.item())
    return losses, [model]


@training
def updated_through_data() -> Result:
    model = mlp()
    losses = []
    for _ in range(STEPS):
        x, y = batch()
        model.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-0.1)
        losses.append(loss.item())
    return losses, [model]


if __name__ == "__main__":
    torch.manual_seed(3)
    print(*(loss.hex() for loss in TRAININGS[sys.argv[1]]()[0]), sep="\n")
