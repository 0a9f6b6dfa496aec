"""RECCE against what the authors' code computes: same weights, same images."""

import json
from pathlib import Path

import pytest
import torch

from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.recce.similarity import similarity_map
from realface.models.recce.task import RecceTask

REFERENCE = json.loads((Path(__file__).parent / "recce.json").read_text())
CASE = REFERENCE["cases"][0]
# A rounding error can flip a ReLU or a maximum, and gradients jump there. In float64, an error of 1.2e-7 after each
# block of the encoder moved the logits by 4e-8, but these norms by up to 5.7e-4 (attention.gated.0).
FLOAT32_GRADIENT_TOLERANCE = 1e-3
PROBED_PIXELS = [(10, 20), (149, 149), (288, 278)]


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=["float64", "float32"])
def step(request, reference_weights, reference_image):
    """(task, its result on the reference batch after a backward pass, the relative tolerance)."""
    task = RecceTask(Recce(RecceConfig())).to(request.param).eval()
    if request.param is torch.float64:  # channels last is slow without oneDNN, which has no float64
        task.to(memory_format=torch.contiguous_format)
    used = {name: shape for name, shape in REFERENCE["shapes"].items() if not name.startswith("encoder.fc.")}
    task.network.load_state_dict(reference_weights(used, CASE["seed"]))
    image = reference_image(CASE["batch"], CASE["size"], CASE["seed"]).to(request.param)
    result = task(image, torch.tensor(CASE["labels"]))
    result.loss.backward()
    return task, result, 1e-7 if request.param is torch.float64 else 1e-4


def expect(value, reference, rel):
    torch.testing.assert_close(
        torch.as_tensor(value, dtype=torch.float64).detach(),
        torch.tensor(reference, dtype=torch.float64),
        rtol=rel,
        atol=rel,
    )


def test_state_dict_has_the_authors_names_and_shapes():
    shapes = {name: list(tensor.shape) for name, tensor in Recce(RecceConfig()).state_dict().items()}
    unused = {"encoder.fc.weight": [1000, 2048], "encoder.fc.bias": [1000]}
    assert shapes | unused == REFERENCE["shapes"]


def test_logits(step):
    _, result, rel = step
    expect(result.output.logit, [row[0] for row in CASE["logits"]], rel)


def test_reconstruction(step):
    _, result, rel = step
    reconstruction = 2 * result.output.reconstruction.double() - 1
    expected = CASE["recon"]
    expect(reconstruction.mean(), expected["mean"], rel)
    expect(reconstruction.std(), expected["std"], rel)
    expect(reconstruction.abs().sum(dim=(1, 2, 3)), expected["abs_sum_per_image"], rel)
    rows, columns = zip(*PROBED_PIXELS, strict=True)
    expect(reconstruction[:, :, rows, columns].flatten(), expected["probe"], rel)


def test_evidence_is_the_mean_difference_of_image_and_reconstruction(step, reference_image):
    _, result, rel = step
    image = reference_image(CASE["batch"], CASE["size"], CASE["seed"])
    evidence = (image - result.output.reconstruction.double()).abs().mean(dim=1, keepdim=True)
    torch.testing.assert_close(result.output.evidence.double(), evidence, rtol=rel, atol=rel)


def test_similarity_maps(step):
    _, result, rel = step
    for embedding, expected in zip(result.output.embeddings, CASE["similarity"], strict=True):
        expect(similarity_map(embedding), expected, rel)


def test_losses(step):
    _, result, rel = step
    expected = CASE["losses"]
    expect(result.parts["classification"], expected["flooded"], rel)
    expect(result.parts["reconstruction"], expected["reconstruction"], rel)
    expect(result.parts["metric"], expected["metric"], rel)
    expect(result.loss, expected["total"], rel)


@pytest.mark.parametrize("name", CASE["grad_norms"])
def test_gradient_norm_of(name, step):
    task, _, rel = step
    gradient = task.network.get_parameter(name).grad
    if gradient.dtype == torch.float32:
        rel = FLOAT32_GRADIENT_TOLERANCE
    # summed in float64: over 3 million squares a float32 sum is itself off by 2e-4
    assert gradient.double().norm().item() == pytest.approx(CASE["grad_norms"][name], rel=rel)


def test_only_parameters_that_are_left_out_have_no_gradient(step):
    task, _, _ = step
    without = [name for name, parameter in task.network.named_parameters() if parameter.grad is None]
    assert without == []
    assert CASE["params_without_grad"] == ["encoder.fc.weight", "encoder.fc.bias"]
