import os
import random

import numpy as np
import pytest
import torch

from realface.training.randomness import generator_states, reproducible, restore_generators

CPU = torch.device("cpu")


def draw():
    return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002


def test_same_seed_gives_the_same_draws():
    drawn = []
    for _ in range(2):
        with reproducible(7, CPU):
            drawn.append(draw())
    assert drawn[0] == drawn[1]


def test_callers_draws_are_not_disturbed():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    undisturbed = draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    with reproducible(7, CPU):
        draw()
    assert draw() == undisturbed


def test_deterministic_kernels_are_used_inside_only():
    before = torch.are_deterministic_algorithms_enabled()
    with reproducible(7, CPU):
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.are_deterministic_algorithms_enabled() == before


def test_settings_are_put_back_after_an_error(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    monkeypatch.delenv("PL_SEED_WORKERS", raising=False)
    with pytest.raises(KeyboardInterrupt), reproducible(7, CPU):
        raise KeyboardInterrupt
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert (os.environ["PL_GLOBAL_SEED"], "PL_SEED_WORKERS" in os.environ) == ("5", False)


def test_draws_go_on_where_the_states_were_taken():
    states = generator_states(CPU)
    drawn = draw()
    restore_generators(states, CPU)
    assert draw() == drawn


def test_generator_of_apples_gpus_is_among_the_states(monkeypatch):
    restored = []
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor([7]))
    monkeypatch.setattr(torch.mps, "set_rng_state", restored.append)
    states = generator_states(torch.device("mps"))
    restore_generators(states, CPU)
    assert restored == []
    restore_generators(states, torch.device("mps"))
    assert [state.tolist() for state in restored] == [[7]]


def test_states_of_another_device_are_left_alone(monkeypatch):
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda _: pytest.fail("set"))
    restore_generators(generator_states(CPU), torch.device("mps"))


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_callers_draws_on_a_gpu_are_not_disturbed(monkeypatch, kind):
    restored = []
    device = torch.device(kind, 0)
    monkeypatch.setattr(getattr(torch, kind), "get_rng_state", lambda place: (place, 7))
    monkeypatch.setattr(getattr(torch, kind), "set_rng_state", lambda state, place: restored.append((place, state)))
    with reproducible(7, device):
        assert restored == []
    assert restored == [(device, (device, 7))]
