"""What a sampled step shows of attentions and recurrent layers, against closed forms and against
the definition in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import caveats
from caveats.history import History
from caveats.watching.attention import attention, fused_logits
from caveats.watching.ranks import srank


def watched(model: nn.Module, loss_of: Callable[[], Tensor], steps: int = 2) -> History:
    """The history of a few steps that change nothing."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with caveats.watch(model, optimizer, every=1) as seen:
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of().backward()
            optimizer.step()
    assert seen.problem == ""
    return seen.history


def measure(history: History, name: str, layer: str) -> float:
    return float(history.snapshot().layers(name)[0, history.layers.index(layer)])


# Attention.


def test_an_even_look_has_entropy_1_and_a_look_at_one_token_0() -> None:
    even = torch.zeros(2, 4, 5, 5)
    assert attention(even)["attention_entropy"] == pytest.approx(1.0)
    sharp = 1000.0 * torch.eye(5).expand(2, 4, 5, 5)
    assert attention(sharp)["attention_entropy"] == pytest.approx(0.0, abs=1e-6)
    assert attention(sharp)["attention_logit"] == 1000.0
    two = torch.zeros(1, 1, 3, 8)
    two[..., :2] = 60.0  # shared between two of eight tokens
    assert attention(two)["attention_entropy"] == pytest.approx(math.log(2) / math.log(8))


def test_a_quarter_of_the_heads_is_enough() -> None:
    heads = torch.zeros(1, 8, 4, 4)
    heads[:, :2] = 500.0 * torch.eye(4)
    assert attention(heads)["attention_entropy"] == pytest.approx(0.0, abs=1e-6)
    heads[:, 1] = 0.0
    assert attention(heads)["attention_entropy"] == pytest.approx(1.0)


def test_tokens_behind_a_mask_do_not_count() -> None:
    mask = torch.full((6, 6), -math.inf).triu(1)
    for hidden in (-math.inf, -1e9, -1e4):
        logits = torch.zeros(1, 1, 6, 6) + mask.clamp(min=hidden)
        assert attention(logits)["attention_entropy"] == pytest.approx(1.0)


@pytest.mark.parametrize("masked", ["no", "causal", "bool", "float", "scale", "fewer heads"])
def test_logits_of_the_fused_function(masked: str) -> None:
    """softmax(logits) V is what the fused function returns."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, 7, 8, dtype=torch.float64) for _ in range(3))
    given: dict[str, object] = {}
    if masked == "causal":
        given = {"is_causal": True}
    elif masked == "bool":
        given = {"attn_mask": torch.rand(2, 1, 7, 7) > 0.3}
    elif masked == "float":
        given = {"attn_mask": torch.randn(7, 7, dtype=torch.float64)}
    elif masked == "scale":
        given = {"scale": 0.3}
    elif masked == "fewer heads":
        k, v, given = k[:, :2], v[:, :2], {"enable_gqa": True}
    out = functional.scaled_dot_product_attention(q, k, v, **given)  # type: ignore[arg-type]
    logits = fused_logits(
        q, k, given.get("attn_mask"), bool(given.get("is_causal")), given.get("scale")  # type: ignore[arg-type]
    )  # fmt: skip
    rows = torch.softmax(logits.double(), -1)
    if masked == "fewer heads":
        v = v.repeat_interleave(2, 1)
    assert torch.allclose(rows.nan_to_num() @ v, out, atol=1e-5)


class Open(nn.Module):
    """An attention in the open, by projections that make queries `factor` times as large."""

    def __init__(self, how: str, factor: float) -> None:
        super().__init__()
        self.how = how
        self.q, self.k, self.v = (nn.Linear(8, 8, bias=False) for _ in range(3))
        self.mha = nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.q.weight *= factor
            self.mha.in_proj_weight[:8] *= factor

    def forward(self, x: Tensor) -> Tensor:
        if self.how.startswith("module"):
            y, _ = self.mha(x, x, x, need_weights=self.how == "module with weights")
            return self.head(y.mean(1))
        parts = (part(x).unflatten(-1, (2, 4)) for part in (self.q, self.k, self.v))
        q, k, v = (part.transpose(1, 2) for part in parts)
        if self.how == "fused":
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            rows = functional.softmax(q @ k.mT / math.sqrt(4), dim=-1)
            y = functional.dropout(rows.type_as(v), 0.0) @ v
        return self.head(y.transpose(1, 2).flatten(2).mean(1))

    def logits(self, x: Tensor) -> Tensor:
        wq, wk = (
            (self.mha.in_proj_weight[:8], self.mha.in_proj_weight[8:16])
            if self.how.startswith("module") else (self.q.weight, self.k.weight)
        )  # fmt: skip
        q, k = ((x @ w.mT).unflatten(-1, (2, 4)).transpose(1, 2) for w in (wq, wk))
        return q @ k.mT / 2


@pytest.mark.parametrize("how", ["fused", "by hand", "module", "module with weights"])
@pytest.mark.parametrize("factor", [1.0, 300.0])
def test_every_way_to_write_an_attention_is_seen(how: str, factor: float) -> None:
    torch.manual_seed(1)
    model, x = Open(how, factor), torch.randn(5, 6, 8)
    history = watched(model, lambda: model(x).square().mean())
    with torch.no_grad():
        logits = model.logits(x)  # (5, 2, 6, 6)
    rows = torch.softmax(logits, -1)
    entropies = -(rows * rows.clamp(min=1e-30).log()).sum(-1).mean((0, 2)) / math.log(6)
    layer = "mha.in_proj" if how.startswith("module") else "q"
    assert measure(history, "attention_entropy", layer) == pytest.approx(
        float(entropies.min()), rel=1e-3, abs=1e-5
    )
    assert measure(history, "attention_logit", layer) == pytest.approx(
        float(logits.max()), rel=1e-4
    )


def test_a_softmax_over_classes_is_no_attention() -> None:
    class Router(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(8, 4), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            shares = self.first(x).softmax(-1)  # (5, 6, 4)
            return self.head(x * shares[..., :1]).mean(1)

    model, x = Router(), torch.randn(5, 6, 8)
    history = watched(model, lambda: model(x).square().mean())
    assert np.isnan(history.snapshot().layers("attention_entropy")).all()


# Recurrent layers.


class OneLayer(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], units: int = 6, **given: object) -> None:
        super().__init__()
        self.rnn = kind(4, units, batch_first=True, **given)  # type: ignore[arg-type]
        self.head = nn.Linear(units, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1])
def test_memory_of_a_linear_recurrence_is_its_factor(factor: float) -> None:
    """h' = Q h with Q a multiple of an orthogonal matrix, and no input: tanh'(0) = 1."""
    model = OneLayer(nn.RNN)
    q, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        for parameter in model.rnn.parameters():
            parameter.zero_()
        model.rnn.weight_hh_l0.copy_(factor * q)
    history = watched(model, lambda: model(torch.zeros(3, 12, 4)).square().mean())
    assert measure(history, "memory", "rnn") == pytest.approx(factor, rel=1e-5)
    assert measure(history, "sequence", "rnn") == 12


@pytest.mark.parametrize("bias", [-2.0, 0.0, 3.0])
def test_memory_of_an_lstm_without_recurrence_is_its_forget_gate(bias: float) -> None:
    model = OneLayer(nn.LSTM)
    with torch.no_grad():
        for parameter in model.rnn.parameters():
            parameter.zero_()
        model.rnn.bias_ih_l0[6:12] = bias
    history = watched(model, lambda: model(torch.randn(3, 9, 4)).square().mean())
    assert measure(history, "memory", "rnn") == pytest.approx(1 / (1 + math.exp(-bias)), rel=1e-5)


def test_memory_of_a_gru_without_recurrence_is_its_update_gate() -> None:
    model = OneLayer(nn.GRU)
    with torch.no_grad():
        for parameter in model.rnn.parameters():
            parameter.zero_()
        model.rnn.bias_ih_l0[6:12] = 1.5
    history = watched(model, lambda: model(torch.randn(3, 9, 4)).square().mean())
    assert measure(history, "memory", "rnn") == pytest.approx(1 / (1 + math.exp(-1.5)), rel=1e-5)


@pytest.mark.parametrize(("gate", "name"), [(0, "input"), (1, "forget"), (2, "candidate")])
def test_gates_that_are_stuck_are_counted(gate: int, name: str) -> None:
    model = OneLayer(nn.LSTM)
    with torch.no_grad():
        model.rnn.bias_ih_l0[gate * 6 : gate * 6 + 4] = -9.0
    history = watched(model, lambda: model(torch.randn(3, 9, 4)).square().mean())
    assert measure(history, "saturated_gates", "rnn") == 4, name


def test_an_open_gate_is_not_stuck() -> None:
    model = OneLayer(nn.GRU)
    history = watched(model, lambda: model(torch.randn(3, 9, 4)).square().mean())
    assert measure(history, "saturated_gates", "rnn") == 0


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("last", ["outputs", "state"])
def test_deltas_are_those_of_the_same_layer_written_out(kind: type[nn.RNNBase], last: str) -> None:
    """Against torch's own cell, called step by step."""
    torch.manual_seed(2)
    model, x = OneLayer(kind), torch.randn(4, 7, 4)

    def loss_of() -> Tensor:
        out, state = model.rnn(x)
        end = state[0] if isinstance(state, tuple) else state
        return model.head(out[:, -1] if last == "outputs" else end[-1]).square().sum(1).mean()

    history = watched(model, loss_of)
    cell = {nn.RNN: nn.RNNCell, nn.GRU: nn.GRUCell, nn.LSTM: nn.LSTMCell}[kind](4, 6)
    for name, parameter in cell.named_parameters():
        parameter.data.copy_(getattr(model.rnn, f"{name}_l0").data)
    state, states = None, []
    for now in x.unbind(1):
        state = cell(now, state)
        h = state[0] if isinstance(state, tuple) else state
        h.retain_grad()
        states.append(h)
    model.head(states[-1]).square().sum(1).mean().backward()
    deltas = 4 * torch.stack([h.grad for h in states])  # of each row's own loss
    assert measure(history, "delta_rms", "rnn") == pytest.approx(
        float(deltas.square().mean().sqrt()), rel=1e-5
    )
    assert measure(history, "activation_std", "rnn") == pytest.approx(
        float(torch.stack(states).detach().std(correction=0)), rel=1e-4
    )


def test_cells_show_their_gates() -> None:
    class Cells(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.LSTMCell(4, 6), nn.Linear(6, 3)
            with torch.no_grad():
                self.cell.bias_ih[:3] = -9.0

        def forward(self, x: Tensor) -> Tensor:
            state = None
            for now in x.unbind(1):
                state = self.cell(now, state)
            return self.head(state[0])

    model, x = Cells(), torch.randn(4, 7, 4)
    history = watched(model, lambda: model(x).square().mean())
    assert measure(history, "saturated_gates", "cell") == 3
    assert np.isfinite(measure(history, "activation_std", "cell"))


def test_several_levels_and_directions_are_layers_of_their_own() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 6, num_layers=2, bidirectional=True, dropout=0.2)
            self.head = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0].mean(0))

    model, x = Deep(), torch.randn(8, 5, 4)
    history = watched(model, lambda: model(x).square().mean())
    names = ["rnn.l0", "rnn.l0_reverse", "rnn.l1", "rnn.l1_reverse"]
    for name in names:
        assert 0 < measure(history, "memory", name) < 1
        assert measure(history, "delta_rms", name) > 0
        assert measure(history, "grad_norm", name) > 0


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_packed_sequence_shows_its_rows_of_one_length(
    kind: type[nn.RNNBase], both_ways: bool
) -> None:
    """Against the same layer on those rows alone: lengths 3 and 5, of which three rows have 5."""
    torch.manual_seed(4)
    lengths, x = [3, 5, 5, 3, 5], torch.randn(5, 5, 4)
    alone = [i for i, length in enumerate(lengths) if length == 5]

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(4, 4)
            self.rnn = kind(4, 6, num_layers=2, bidirectional=both_ways, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, rows: Tensor, lengths: list[int]) -> Tensor:
            rows = nn.utils.rnn.pack_padded_sequence(
                self.embed(rows), lengths, batch_first=True, enforce_sorted=False
            )
            out, state = self.rnn(rows)
            out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
            end = state[0] if isinstance(state, tuple) else state
            return self.head(end[-1]) + out.sum((1, 2))[:, None]

    class Whole(Packed):
        def forward(self, rows: Tensor, lengths: list[int]) -> Tensor:
            out, state = self.rnn(self.embed(rows))
            end = state[0] if isinstance(state, tuple) else state
            return self.head(end[-1]) + out.sum((1, 2))[:, None]

    packed, whole = Packed(), Whole()
    whole.load_state_dict(packed.state_dict())
    ours = watched(packed, lambda: packed(x, lengths).square().sum() / 5)
    theirs = watched(whole, lambda: whole(x[alone], lengths).square().sum() / 3)
    assert ours.layers == theirs.layers
    assert [f.activation for f in ours.facts.layers] == [f.activation for f in theirs.facts.layers]
    assert {e.text for e in ours.snapshot().events} == {e.text for e in theirs.snapshot().events}
    levels = [name for name in ours.layers if name.startswith("rnn")]
    assert len(levels) == (4 if both_ways else 2)
    for name in levels:
        for measure_ in ("memory", "sequence", "delta_rms", "activation_mean", "activation_std"):
            assert measure(ours, measure_, name) == pytest.approx(
                measure(theirs, measure_, name), rel=1e-4
            ), (name, measure_)
        if kind is not nn.RNN:
            assert measure(ours, "saturated_gates", name) == 0


def test_a_layer_before_a_recurrent_one_stays_linear() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(9, 4), nn.LSTM(4, 6)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(self.embed(x).transpose(0, 1))[0][-1])

    model, x = Words(), torch.randint(0, 9, (5, 7))
    history = watched(model, lambda: model(x).square().mean())
    assert [f.activation for f in history.facts.layers] == ["identity", "tanh", "identity"]


# Rank.


def test_the_rank_counts_directions_to_99_percent() -> None:
    torch.manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(40, 5, dtype=torch.float64))
    v, _ = torch.linalg.qr(torch.randn(12, 5, dtype=torch.float64))
    assert srank(u @ v.T) == 5
    assert srank(u * 0 @ v.T) == 0
    falling = u @ torch.diag(torch.tensor([1.0, 0.5, 0.25, 1e-3, 1e-3], dtype=torch.float64)) @ v.T
    assert srank(falling) == 3  # 1.75 of 1.752


def test_the_rank_of_what_feeds_the_head() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.rand(16, 1) * torch.ones(1, 8))  # all units look one way
        model[0].bias.zero_()
    x = torch.randn(64, 8)
    history = watched(model, lambda: model(x).square().mean())
    assert measure(history, "feature_rank", "2") == 1
    assert measure(history, "feature_rank", "0") == 8
