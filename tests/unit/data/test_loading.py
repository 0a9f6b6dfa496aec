import multiprocessing
import os
import signal
import threading
import time

import pytest
import torch
from torch.utils.data._utils import signal_handling

from realface.core.errors import LoadingError, ManifestError
from realface.data import loading
from realface.data.loading import ItemReader, load_batches

pytestmark = pytest.mark.skipif(loading.START_METHOD != "fork", reason="tests need forked workers")


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(loading, "POLL_S", 0.02)


def images(keys):
    return torch.stack([torch.full((4,), float(key)) for key in keys])


def load(read, *, num_batches=9, workers=2, batch_bytes=32, **options):
    keys = [[2 * number, 2 * number + 1] for number in range(num_batches)]
    return load_batches(read, keys, workers=workers, batch_bytes=batch_bytes, **options)


def block(_=None):
    threading.Event().wait()


def at(number, act):
    """Read as `images` does, but act first at the batch of this number."""

    def read(keys):
        if keys[0] == 2 * number:
            act()
        return images(keys)

    return read


@pytest.mark.parametrize("batch_bytes", [32, 1, 1000])
@pytest.mark.parametrize("prefetch", [1, 3])
def test_batches_come_in_order_and_stay_as_they_are(batch_bytes, prefetch):
    found = list(load(images, batch_bytes=batch_bytes, prefetch=prefetch))
    assert [batch[:, 0].tolist() for batch in found] == [[2 * number, 2 * number + 1] for number in range(9)]


def test_batches_through_pipes_are_the_same(monkeypatch):
    monkeypatch.setattr(loading, "START_METHOD", None)
    assert all(map(torch.equal, load(images, num_batches=3), load(images, num_batches=3, workers=0)))


def test_lock_that_a_signal_left_held_does_not_keep_a_loader_from_closing():
    batches = load(images)
    next(batches)
    for queue in batches.gi_frame.f_locals["iterator"]._index_queues:
        queue._notempty.acquire()  # as after a signal within `Queue.put`
    closing = threading.Thread(target=batches.close, daemon=True)
    closing.start()
    closing.join(timeout=20)
    assert not closing.is_alive()


def test_lock_that_a_signal_left_held_while_workers_start_keeps_nothing_waiting(monkeypatch):
    class Interruption(BaseException):
        pass

    def interrupted(queue, *_, **__):
        queue._notempty.acquire()
        raise Interruption

    def start():
        with pytest.raises(Interruption):
            next(load(images))

    monkeypatch.setattr(multiprocessing.queues.Queue, "put", interrupted)
    starting = threading.Thread(target=start, daemon=True)
    starting.start()
    starting.join(timeout=20)
    assert not starting.is_alive()
    assert multiprocessing.active_children() == []


def test_batch_consists_of_the_items_of_its_keys():
    assert ItemReader("abc", "-".join)([2, 0]) == "c-a"


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a worker process that reads crops was killed by SIGKILL; if"),
        (lambda: os._exit(3), "ended with code 3; if memory ran out, set a smaller data.workers in a recipe, or"),
        (lambda: os._exit(0), "a worker process that reads crops ended unexpectedly; if memory ran out"),
    ],
)
def test_worker_that_dies_is_an_error(act, text):
    batches = load(at(3, act))
    with pytest.raises(LoadingError, match=text):
        list(batches)


def test_batch_that_cannot_be_sent_is_an_error(capfd):
    with pytest.raises(LoadingError, match=r"could not send a batch \(.*pickle.*use fewer workers, or read without"):
        list(load(lambda keys: (images(keys), lambda: None)))
    assert capfd.readouterr().err == ""


class Unsendable:
    def __reduce__(self):
        raise OSError("no room")


def test_batch_that_is_lost_on_its_way_is_an_error(monkeypatch):
    def pack(_batch, number, slots):
        slots.note_finished(number)
        return Unsendable()

    monkeypatch.setattr(loading, "pack", pack)
    monkeypatch.setattr(loading, "LOOKS_UNTIL_LOST", 2)
    with pytest.raises(LoadingError, match="batch that a worker process had ready did not arrive; use fewer workers"):
        list(load(images, workers=1))


def test_batch_that_nobody_can_read_is_noted_and_then_an_error(monkeypatch, capsys):
    monkeypatch.setattr(loading, "LOOKS_UNTIL_TOLD", 3)
    monkeypatch.setattr(loading, "LOOKS_UNTIL_STUCK", 5)
    monkeypatch.setattr(loading, "POLL_S", 0.25)
    with pytest.raises(LoadingError, match="could read the next batch for 0 minutes; check that the storage"):
        list(load(block, workers=1))
    assert capsys.readouterr().err.count("note: no batch for 1 s; the storage with the crops is slow") == 1


def test_slow_storage_is_no_error_before_the_limit(monkeypatch):
    def read(keys):
        looked.wait()
        return images(keys)

    looked = multiprocessing.Event()
    monkeypatch.setattr(loading, "warn_once", lambda _: looked.set())
    monkeypatch.setattr(loading, "LOOKS_UNTIL_TOLD", 5)
    assert len(list(load(read, num_batches=2))) == 2
    assert looked.is_set()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ManifestError("list.csv: no rows; add some"), "^list.csv: no rows; add some$"),
        (OSError(5, "Input/output error", "a.png"), r"^a worker process could not read a batch \(a.png: input/output"),
        (
            OSError(5, "Input/output error"),
            r"could not read a batch \(input/output error\); check the machine",
        ),
        (MemoryError(), r"could not read a batch \(out of memory\)"),
    ],
)
def test_error_in_a_worker_is_one_line(error, text):
    def fail():
        raise error

    with pytest.raises(LoadingError, match=text) as caught:
        list(load(at(1, fail)))
    assert "\n" not in str(caught.value)


def test_fault_of_the_program_in_a_worker_stays_one():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError, match="in DataLoader worker process"):
        list(load(at(1, fail)))


def test_other_fault_while_waiting_stays_one(monkeypatch):
    def fail(_self):
        raise RuntimeError("of torch")

    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter._next_data", fail)
    with pytest.raises(RuntimeError, match="of torch"):
        list(load(images, workers=1))


@pytest.mark.parametrize("read", [images, at(1, block)])
def test_no_worker_is_left_when_the_reader_turns_away(read):
    batches = load(read)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert multiprocessing.active_children() == []


def test_torch_forgets_the_workers_of_a_loader_that_is_gone(monkeypatch):
    noted = []
    note = signal_handling._set_worker_pids
    monkeypatch.setattr(signal_handling, "_set_worker_pids", lambda *args: (noted.append(args), note(*args)))
    batches = load(images)
    next(batches)
    batches.close()
    ((address, _),) = noted
    with pytest.raises(ValueError, match="Cannot find worker information"):
        signal_handling._remove_worker_pids(address)


def test_worker_that_was_asked_to_stop_reads_no_further_batch(monkeypatch):
    ends = []
    monkeypatch.setattr(loading.BatchSlots, "stop", lambda self: ends.append(self))
    batches = load(images, workers=1)
    next(batches)
    batches.close()
    monkeypatch.setattr(os, "_exit", ends.append)
    ends[0].end_if_stopped()
    assert len(ends) == 1
    ends[0]._stopped[0] = 1
    ends[0].end_if_stopped()
    assert ends[1] == 0


def test_death_of_a_worker_interrupts_nothing_but_the_wait():
    before = signal.getsignal(signal.SIGCHLD)
    batches = load(at(2, lambda: os.kill(os.getpid(), signal.SIGKILL)), workers=1)
    next(batches)
    assert signal.getsignal(signal.SIGCHLD) == before
    batches.close()


def test_end_of_workers_does_not_call_a_handler_of_sigchld():
    calls = []

    def note(*_):  # torch's, which another loader may have set, raises
        calls.append(1)

    before = signal.signal(signal.SIGCHLD, note)
    try:
        batches = load(at(1, block), workers=1)
        next(batches)
        batches.close()
        assert signal.getsignal(signal.SIGCHLD) == note
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert calls == []


def test_workers_that_cannot_start_are_one_error(monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(multiprocessing.queues.Queue, "__init__", fail)
    with pytest.raises(LoadingError, match=r"worker processes cannot start \(read-only file system\); use fewer"):
        list(load(images))
    assert capsys.readouterr().err == ""


def test_fewer_workers_change_no_batch(monkeypatch):
    monkeypatch.setattr(loading, "allowed_workers", lambda asked, *, num_loaders: asked - num_loaders)
    batches = load(images, workers=3, num_loaders=2)
    first = next(batches)
    assert len(multiprocessing.active_children()) == 1
    assert all(map(torch.equal, [first, *batches], load(images, workers=0)))


def test_wait_that_a_signal_ends_leaves_no_worker():
    def interrupt():
        os.kill(os.getppid(), signal.SIGUSR1)
        block()

    class Interruption(BaseException):
        pass

    def end(*_):
        raise Interruption

    before = signal.signal(signal.SIGUSR1, end)
    start = time.monotonic()
    try:
        with pytest.raises(Interruption):
            list(load(at(1, interrupt)))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - start < 10
    assert multiprocessing.active_children() == []


def test_workers_end_with_a_process_that_is_killed():
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def read(keys):
        sender.send("reads")
        block()

    def loader():
        list(load(read))

    process = multiprocessing.get_context("fork").Process(target=loader)
    process.start()
    sender.close()
    assert [receiver.recv(), receiver.recv()] == ["reads", "reads"]
    process.kill()
    process.join()
    with pytest.raises(EOFError):  # no worker is left that could send
        receiver.recv()
