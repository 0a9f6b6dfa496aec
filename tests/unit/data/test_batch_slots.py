from dataclasses import dataclass

import numpy as np
import pytest
import torch

from realface.core.errors import LoadingError
from realface.data import batch_slots
from realface.data.batch_slots import BatchSlots, pack


@dataclass(frozen=True)
class Batch:
    image: torch.Tensor
    other: object = None

    def pin_memory(self):
        return Batch(self.image.clone(), "pinned")


def batch_of(value, size=32):
    return Batch(torch.full((2, size), float(value)))


@pytest.fixture
def slots():
    return BatchSlots(num_slots=3, slot_bytes=2 * 32 * 4)


def test_batch_comes_out_as_it_went_in(slots):
    batch = {
        "image": torch.arange(12.0).reshape(3, 4),
        "turned": torch.arange(6).reshape(2, 3).T,
        "empty": torch.empty(0),
        "number": torch.tensor(7),
        "mask": np.array([[True, False]]),
        "none": np.zeros((0, 3), np.float32),
        "others": ["a.png", None, 3],
    }
    found = pack(batch, 5, slots).unpack()
    for name in ("image", "turned", "empty", "number"):
        assert found[name].dtype == batch[name].dtype
        assert torch.equal(found[name], batch[name])
    assert found["mask"].tolist() == [[True, False]]
    assert found["none"].shape == (0, 3)
    assert found["others"] == batch["others"]


def test_tensor_that_came_out_can_be_changed(slots):
    for size in (32, 1000):
        image = pack(batch_of(1, size), 0, slots).unpack().image
        assert (image.add_(1) == 2).all()


def test_batches_that_were_received_stay_as_they_are(slots):
    received = [pack(batch_of(number), number, slots).unpack() for number in range(7)]
    assert [batch.image.unique().tolist() for batch in received] == [[float(number)] for number in range(7)]


def test_batch_that_is_on_its_way_is_not_overwritten(slots):
    packed = [pack(batch_of(number), number, slots) for number in (3, 4, 5)]
    assert [each.unpack().image.unique().item() for each in packed] == [3, 4, 5]


def test_arrays_are_in_the_slot_and_not_in_the_message(slots):
    packed = pack(batch_of(1), 0, slots)
    assert packed.arrays == [256]
    assert len(packed.text) < 1000
    assert slots.slot(0)[:256].view(np.float32).tolist() == [1.0] * 64


@pytest.mark.parametrize("has_slots", [True, False])
def test_what_has_no_room_in_a_slot_is_sent_by_itself(slots, has_slots):
    batch = {"small": torch.ones(8), "large": torch.full((1000,), 2.0), "last": torch.full((8,), 3.0)}
    packed = pack(batch, 1, slots if has_slots else None)
    assert [isinstance(part, bytes) for part in packed.arrays] == [not has_slots, True, not has_slots]
    found = packed.unpack()
    assert all(torch.equal(found[name], batch[name]) for name in batch)


def test_slots_know_which_batch_was_ready_last(slots):
    pack(batch_of(1), 4, slots)
    assert [slots.is_finished(number) for number in (1, 4, 7)] == [False, True, False]


def test_pinning_takes_the_batch_out_of_its_slot(slots):
    pinned = pack(batch_of(3), 0, slots).pin_memory()
    pack(batch_of(4), 3, slots)
    assert pinned.other == "pinned"
    assert (pinned.image == 3).all()


def test_memory_that_cannot_be_reserved_is_an_error(monkeypatch):
    def refuse(*_):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(batch_slots.mmap, "mmap", refuse)
    with pytest.raises(LoadingError, match=r"4 MB of memory for batches cannot be reserved \(Cannot allocate memory\)"):
        BatchSlots(num_slots=4, slot_bytes=1_000_000)
