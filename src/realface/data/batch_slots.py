"""Shared memory through which worker processes pass batches.

torch passes each tensor as a file in /dev/shm and sends its descriptor from a thread of the worker. Docker limits
/dev/shm to 64 MB, which one batch can fill; if sending fails, torch prints a traceback and the receiver waits forever.
The memory here is anonymous and mapped once, before the workers are forked. So neither /dev/shm nor the limit on open
files bounds it, a thread only sends a short text, and the memory is freed when the processes end.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realface.core.errors import LoadingError

ALIGNMENT = 64  # bytes; enough for every vector instruction
_keys = count(1)


class BatchSlots:
    """Slots of shared memory, which successive batches use cyclically.

    Args:
        num_slots: number of slots: one more than the number of batches in transit, so that the last received batch is
            not overwritten before the next request.
        slot_bytes: size of a slot, in bytes. Arrays that do not fit are sent through the queue's pipe, which is slower.

    Raises:
        LoadingError: the system has too little memory.
    """

    def __init__(self, *, num_slots: int, slot_bytes: int) -> None:
        self.slot_bytes = _aligned(max(1, slot_bytes))
        try:
            memory = mmap.mmap(-1, num_slots * self.slot_bytes)
        except OSError as error:
            raise LoadingError(
                f"{num_slots * self.slot_bytes / 1e6:,.0f} MB of memory for batches cannot be reserved "
                f"({error.strerror})",
                hint="set a smaller batch size, or fewer workers (data.workers in a recipe, --workers)",
            ) from error
        self._memory = np.frombuffer(memory, np.uint8).reshape(num_slots, self.slot_bytes)
        self._finished = np.frombuffer(mmap.mmap(-1, 8 * num_slots), np.int64)
        self._stopped = np.frombuffer(mmap.mmap(-1, 1), np.uint8)
        self.key = next(_keys)
        _slots_by_key[self.key] = self

    def slot(self, number: int) -> NDArray[np.uint8]:
        """Return the (slot_bytes,) memory of a batch."""
        slot: NDArray[np.uint8] = self._memory[number % len(self._memory)]
        return slot

    def note_finished(self, number: int) -> None:
        """Note in the worker that a batch is ready to be sent."""
        self._finished[number % len(self._finished)] = number + 1

    def is_finished(self, number: int) -> bool:
        """Return whether a worker had the batch ready to be sent."""
        return bool(self._finished[number % len(self._finished)] == number + 1)

    def stop(self) -> None:
        """Ask the workers to end before they read another batch."""
        self._stopped[0] = 1

    def end_if_stopped(self) -> None:
        """End this worker process if it was requested."""
        if self._stopped[0]:
            os._exit(0)


_slots_by_key: WeakValueDictionary[int, BatchSlots] = WeakValueDictionary()


@dataclass(frozen=True)
class PackedBatch:
    """A batch in transit from a worker.

    Attributes:
        number: number of the batch, from 0.
        slots_key: key of the slots; 0 without slots.
        text: the pickled batch without its arrays.
        arrays: each array's size in the slot, in bytes; or the array itself if the slot had no room.
    """

    number: int
    slots_key: int
    text: bytes
    arrays: Sequence[int | bytes]

    def unpack(self, *, copied: bool = True) -> Any:
        """Return the batch.

        Args:
            copied: whether to copy the arrays out of the slot, so that reusing the slot does not change them.
        """
        slots = _slots_by_key.get(self.slots_key)
        total = sum(_aligned(part) for part in self.arrays if isinstance(part, int))
        memory = np.empty(0, np.uint8) if slots is None else slots.slot(self.number)[:total]
        if copied:
            memory = memory.copy()
        buffers, start = [], 0
        for part in self.arrays:
            if isinstance(part, int):
                buffers.append(memory[start : start + part])
                start += _aligned(part)
            else:
                buffers.append(np.frombuffer(bytearray(part), np.uint8))
        return pickle.loads(self.text, buffers=buffers)  # noqa: S301 (from a worker of this process)

    def pin_memory(self) -> Any:
        """Return the batch in memory from which a GPU copies by itself; the loader's thread calls this."""
        return self.unpack(copied=False).pin_memory()


def pack(batch: Any, number: int, slots: BatchSlots | None) -> PackedBatch:
    """Pack a batch in a worker; errors are raised here and not in a sending thread.

    Args:
        batch: any object that can be pickled, with tensors on the CPU.
        number: number of the batch, from 0.
        slots: slots for the arrays; None sends all arrays through the pipe.
    """
    buffers: list[pickle.PickleBuffer] = []
    text = io.BytesIO()
    _TensorPickler(text, protocol=5, buffer_callback=buffers.append).dump(batch)
    arrays: list[int | bytes] = []
    start = 0
    for buffer in buffers:
        raw = np.frombuffer(buffer.raw(), np.uint8) if buffer.raw().nbytes else np.empty(0, np.uint8)
        if slots is None or start + _aligned(len(raw)) > slots.slot_bytes:
            arrays.append(raw.tobytes())
            continue
        slots.slot(number)[start : start + len(raw)] = raw
        arrays.append(len(raw))
        start += _aligned(len(raw))
    if slots is not None:
        slots.note_finished(number)
    return PackedBatch(number, 0 if slots is None else slots.key, text.getvalue(), arrays)


class _TensorPickler(pickle.Pickler):
    """Pickles tensors as arrays with out-of-band memory, instead of torch's files in /dev/shm."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return torch.from_numpy, (value.detach().numpy(),)
        return NotImplemented


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
