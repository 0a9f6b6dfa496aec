import torch

from realface.bench.references import load_reference
from realface.models.recce.config import RecceConfig
from realface.models.recce.graph_reasoning import GraphReasoning
from realface.models.recce.network import Recce

reference = load_reference("recce")
LoopedReasoning, as_released = reference.LoopedReasoning, reference.as_released


def test_the_loop_over_positions_equals_the_batched_contraction() -> None:
    torch.manual_seed(0)
    batched = GraphReasoning(12, (10, 8), vertex_width=6, dropout=0.5).eval().double()
    maps = [torch.randn(*shape, dtype=torch.float64) for shape in ((2, 12, 3, 2), (2, 10, 6, 4), (2, 8, 12, 8))]
    looped = LoopedReasoning(batched).eval()
    torch.testing.assert_close(looped(*maps), batched(*maps), rtol=0, atol=1e-9)
    torch.testing.assert_close(looped(*[m[:1] for m in maps]), batched(*[m[:1] for m in maps]), rtol=0, atol=1e-9)
    assert looped.state_dict().keys() == batched.state_dict().keys()


def test_a_network_answers_as_the_release_would() -> None:
    torch.manual_seed(0)
    network = Recce(RecceConfig(encoder="light_xception")).eval().double()
    released = as_released(network)
    assert isinstance(released.reasoning, LoopedReasoning)
    assert not isinstance(network.reasoning, LoopedReasoning)
    assert all(parameter.is_contiguous() for parameter in released.parameters())
    image = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(released(image).logit, network(image).logit, rtol=0, atol=1e-9)
    torch.testing.assert_close(released(image).error_map, network(image).error_map, rtol=0, atol=1e-9)


def test_a_network_without_reasoning_has_no_loop() -> None:
    assert as_released(Recce(RecceConfig(encoder="light_xception", reasoning=False))).reasoning is None
