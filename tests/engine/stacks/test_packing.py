"""Any configs train together: stacks of one shape, and alone what cannot be stacked."""

from __future__ import annotations

import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.stacks import train
from caveats.stacks.memory import most_members, needed, refuse_too_large, told
from caveats.stacks.packing import calibrated, largest_good
from caveats.stacks.shape import shape_of

SMALL = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [4]},
        "training": {"batch_size": 20, "steps": 12, "device": "cpu"},
    }
)
CPU = torch.device("cpu")


def test_every_config_comes_back_once_with_its_own_history() -> None:
    configs = [
        SMALL.changed(change)
        for change in (
            {"training.seed": 1}, {"network.widths": [3, 3]}, {"optimizer.name": "muon"},
            {"training.seed": 2}, {"network.widths": [3, 3], "training.seed": 9},
        )
    ]  # fmt: skip
    found = {trained.index: trained for trained in train(configs)}
    assert sorted(found) == [0, 1, 2, 3, 4]
    for index, config in enumerate(configs):
        run = Run(config)
        while not run.finished:
            run.advance()
        loss = found[index].history.snapshot().scalar("loss")
        assert loss.tolist() == pytest.approx(run.history.snapshot().scalar("loss").tolist())


def test_the_size_of_stacks_does_not_change_who_is_trained() -> None:
    configs = [SMALL.changed({"training.seed": seed}) for seed in range(5)]
    sizes = []
    found = list(train(configs, size=2, watch=lambda stack: sizes.append(len(stack))))
    assert [trained.index for trained in found] == [0, 1, 2, 3, 4]
    assert set(sizes) == {1, 2}


def test_calibration_chooses_among_what_is_there_and_leaves_the_threads() -> None:
    configs = [SMALL.changed({"training.seed": seed}) for seed in range(3)]
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    found = calibrated(configs, [load(SMALL.data.settings())] * 3)
    assert found.size == 3
    assert found.threads >= 1
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_a_size_that_is_nearly_as_fast_gives_way_to_a_larger_one() -> None:
    assert largest_good({16: 1.0, 64: 1.2, 256: 1.3}) == 64
    assert largest_good({16: 2.0, 64: 1.2, 256: 1.0}) == 256
    assert largest_good({16: 1.0, 64: 1.5, 256: 2.0}) == 16


def test_networks_that_cannot_fit_are_refused_with_what_they_need() -> None:
    data = load(SMALL.data.settings())
    wide = shape_of(SMALL.changed({"network.widths": [1_000_000, 1_000_000]}), data)
    with pytest.raises(ConfigError) as refused:
        most_members(wide, CPU)
    said = str(refused.value)
    # 10¹² weights of 4 bytes, three times, and eight such tensors while the sharpness is measured.
    assert said.startswith("1 network of network.widths = [1000000, 1000000] would need 44,0")
    assert said.endswith(" are free: make widths or training.batch_size smaller")
    refuse_too_large(shape_of(SMALL, data), 10, CPU)


def test_every_member_needs_the_same_memory_on_top() -> None:
    shape = shape_of(SMALL, load(SMALL.data.settings()))
    one, two, three = (needed(shape, members) for members in (1001, 1002, 1003))
    assert two - one == three - two > 0
    assert most_members(shape, CPU) > 1000


@pytest.mark.parametrize(
    ("size", "words"), [(512, "0.512 KB"), (2_000_000, "2 MB"), (5 * 10**12, "5,000 GB")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert told(size) == words
