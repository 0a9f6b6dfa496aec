import pytest
import torch

from realface.core.errors import TrainingError
from realface.data.degradations.draw import DegradationsSection
from realface.data.sampler import BalancedSampler
from realface.manifest.manifest import Manifest
from realface.training.batches import StepSampler, training_batches


def order(num_rows=3):
    return BalancedSampler(torch.zeros(num_rows, dtype=torch.int64).numpy(), seed=0, balance=False)


def batches(manifest, *, workers=0, num_steps=6, flip=0.5, degradations=None, inputs=None):
    rows = Manifest.read(manifest).filter(split="train")
    return list(
        training_batches(
            rows,
            input_size=8,
            batch_size=4,
            num_batches=num_steps,
            seed=3,
            flip=flip,
            degradations=degradations,
            workers=workers,
            inputs=inputs,
        )
    )


def test_every_step_has_a_full_batch_across_epochs():
    steps = list(StepSampler(order(3), batch_size=2, num_batches=5))
    assert [[epoch for epoch, _ in step] for step in steps] == [[0, 0], [0, 1], [1, 1], [2, 2], [2, 3]]


def test_every_epoch_has_each_row_once():
    rows = [pair for step in StepSampler(order(3), batch_size=2, num_batches=3) for pair in step]
    assert sorted(rows) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize("first_step", [1, 2, 4])
def test_later_start_gives_the_same_steps(first_step):
    whole = list(StepSampler(order(5), batch_size=3, num_batches=6))
    assert list(StepSampler(order(5), batch_size=3, num_batches=6, first_batch=first_step)) == whole[first_step:]


def test_batch_larger_than_an_epoch_takes_rows_of_several():
    [step] = StepSampler(order(2), batch_size=5, num_batches=1)
    assert [epoch for epoch, _ in step] == [0, 0, 1, 1, 2]


def test_batches_do_not_depend_on_the_workers(write_faces):
    manifest = write_faces()
    alone, shared = batches(manifest), batches(manifest, workers=2)
    for one, other in zip(alone, shared, strict=True):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.label, other.label)


def test_degraded_batches_do_not_depend_on_the_workers(write_faces):
    manifest, degradations = write_faces(), DegradationsSection(probability=1)
    alone, shared = (batches(manifest, workers=workers, degradations=degradations) for workers in (0, 1))
    for one, other in zip(alone, shared, strict=True):
        assert torch.equal(one.image, other.image)
    assert not torch.equal(alone[0].image, batches(manifest)[0].image)


def test_batches_are_balanced_and_in_range(write_faces):
    for batch in batches(write_faces()):
        assert batch.label.sum() == 2
        assert batch.image.shape == (4, 3, 8, 8)
        assert 0 <= batch.image.min() <= batch.image.max() <= 1


def test_a_row_is_augmented_differently_in_another_epoch(write_faces):
    seen = {tuple(image.flatten().tolist()) for batch in batches(write_faces(), num_steps=12) for image in batch.image}
    assert len(seen) == 16  # each of the 8 crops as it is and mirrored


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_crop_ends_the_run_with_its_name_in_one_line(write_faces, workers):
    manifest = write_faces()
    (manifest.parent / "crops" / "train-0-1.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"row \d of the manifest: .*train-0-1\.png.*replace the file") as caught:
        batches(manifest, workers=workers)
    assert "\n" not in str(caught.value)


def number(row):
    return torch.tensor(float(row))


@pytest.mark.parametrize("workers", [0, 1])
def test_what_was_computed_beforehand_stands_beside_its_crop(write_faces, workers):
    manifest = write_faces()
    images = {}
    for batch in batches(manifest, flip=0, workers=workers, inputs={"row": number}):
        for image, row in zip(batch.image, batch.inputs["row"].tolist(), strict=True):
            assert torch.equal(images.setdefault(row, image), image)
    assert sorted(images) == list(range(8))
