"""Trains a sampled config again, records what the rivals' rules read, and keeps that on disk.

The rivals count in epochs. Here an epoch is ten steps, a thirtieth of the run, at any batch size:
the number of real epochs would vary from 11 to 300. If torchmortem is installed (``pip install
torchmortem==0.1.1``), its Autopsy watches the same training, at its default settings.
"""

from __future__ import annotations

import atexit
import json
import math
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from benchmarks.verdict_suite.rivals import Epoch, Finding, Output, Watched
from benchmarks.verdict_suite.training import key_of
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.data import load
from caveats.models.isolation import undisturbed
from caveats.models.mlp import activations, linears
from caveats.training.trainer import Trainer

__all__ = ["EPOCHS", "watch", "watched"]

EPOCHS = 30
# After a loss that is not finite no number is: a plain loop would go on like this to its end.
BROKEN = Epoch(math.nan, math.nan, math.nan, False, math.nan)


def watched(config: RunConfig, folder: Path) -> Watched:
    """The rivals' view of a training of ``config``, made once and kept in ``folder``. It is made
    again if torchmortem was missing then and is installed now."""
    path = folder / f"{key_of(config)}.rivals.json"
    if path.exists():
        kept = read(path)
        if kept.findings is not None or not has_torchmortem():
            return kept
    seen = watch(config)
    path.write_text(json.dumps(seen))
    return seen


def read(path: Path) -> Watched:
    epochs, findings = json.loads(path.read_text())
    return Watched(
        [Epoch(*e[:9], [Output(*o) for o in e[9]], e[10]) for e in epochs],
        None if findings is None else [Finding(*f) for f in findings],
    )


def has_torchmortem() -> bool:
    """torchmortem, if it is this exact version: `spare_ranks` and `findings` use its internals."""
    try:
        return version("torchmortem") == "0.1.1"
    except PackageNotFoundError:
        return False


def watch(config: RunConfig) -> Watched:
    trainer = Trainer(config, load(config.data.settings()))
    autopsy = autopsy_of(trainer)
    length = max(1, config.training.steps // EPOCHS)
    epochs: list[Epoch] = []
    before = epoch(trainer, math.nan).accuracy
    with nullcontext() if autopsy is None else autopsy:
        while trainer.step < config.training.steps:
            if autopsy is not None:
                spare_ranks(autopsy, trainer)
            loss = trainer.train_step()
            if trainer.stuck:
                break
            if autopsy is not None:
                autopsy.step(loss=loss.item())
            if trainer.step % length == 0:
                # The next step's pass replaces what Autopsy's hooks see in this pass.
                epochs.append(epoch(trainer, before))
                before = epochs[-1].accuracy
    epochs += [BROKEN] * (EPOCHS - len(epochs))
    return Watched(epochs, None if autopsy is None else findings(autopsy))


def autopsy_of(trainer: Trainer) -> Any:
    if not has_torchmortem():
        return None
    from torchmortem import Autopsy

    return Autopsy(trainer.network, optimizer=trainer.optimizer)


def spare_ranks(autopsy: Any, trainer: Trainer) -> None:
    """Autopsy's rank collector decomposes every layer's outputs in every pass and keeps those of
    one step in fifty. Let it see only that one: this halves its cost and changes no finding."""
    rank = next(c for c in autopsy._collectors if c.name == "rank")
    rank.detach()
    if autopsy._sampling.should_collect(rank.name, rank.cost, trainer.step):
        rank.attach(trainer.network, trainer.optimizer, autopsy._sampling)


def findings(autopsy: Any) -> list[Finding]:
    # It registers itself until the program ends, with one network for each training.
    atexit.unregister(autopsy._atexit_handler)
    return [Finding(f.severity.name, f.category, f.title) for f in autopsy.get_report().findings]


def epoch(trainer: Trainer, before: float) -> Epoch:
    """One look, which does not change the training."""
    network, x, y = trainer.network, trainer.x, trainer.y
    size = trainer.config.training.batch_size or len(x)
    outputs: list[Output] = []
    hooks = [
        module.register_forward_hook(lambda m, i, o: outputs.append(output(m, i[0], o)))
        for module in (*linears(network), *activations(network))
    ]
    with undisturbed(network, trainer.device):
        first = network(x[:size])
        for hook in hooks:
            hook.remove()
        parameters = list(network.parameters())
        grads = torch.autograd.grad(trainer.loss_function(first, y[:size]), parameters)
        with torch.no_grad():
            everything = network(x)
            loss = float(trainer.loss_function(everything, y))
    classes = not y.is_floating_point()
    weights = [linear.weight for linear in linears(network)]
    of_weights = [grads[place] for place in places(parameters, weights)]
    sizes = [float(g.abs().mean()) for g in of_weights]
    cancel = [*layer_normalized(network), classes]
    zeros = sum(int((g == 0).sum()) for g in grads) / sum(g.numel() for g in grads)
    return Epoch(
        loss=loss,
        accuracy=float((everything.argmax(1) == y).double().mean()) if classes else math.nan,
        before=before,
        finite=all(bool(t.isfinite().all()) for t in (*parameters, *grads)),
        zeros=zeros,
        grad_norm=[float(g.norm()) for g in of_weights],
        grad_mean=[
            size if cancels else float(g.mean())
            for g, size, cancels in zip(of_weights, sizes, cancel, strict=True)
        ],
        grad_size=sizes,
        weight_mean=[float(w.detach().mean()) for w in weights],
        outputs=outputs,
        stretch=math.nan if classes else width(first) / width(y),
    )


def output(module: nn.Module, given: Tensor, out: Tensor) -> Output:
    with torch.no_grad():
        return Output(
            type(module).__name__,
            float(out.mean()),
            float((out <= 0).double().mean()),
            float((given.abs() >= 5).double().mean()),
        )


def layer_normalized(network: nn.Module) -> list[bool]:
    """For each hidden linear layer, whether a layer normalization follows."""
    modules = list(network.modules())
    return [
        isinstance(after, nn.LayerNorm)
        for module, after in pairwise(modules)
        if isinstance(module, nn.Linear)
    ]


def places(parameters: list[nn.Parameter], wanted: list[nn.Parameter]) -> list[int]:
    order = {id(parameter): place for place, parameter in enumerate(parameters)}
    return [order[id(weight)] for weight in wanted]


def width(values: Tensor) -> float:
    return float(values.detach().max() - values.detach().min())
