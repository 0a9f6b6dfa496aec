import torch

from realface.models.recce.graph_reasoning import GraphReasoning, linked_vertices


def maps(height=3, width=2):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, channels, ratio * height, ratio * width, generator=generator, dtype=torch.float64)
        for channels, ratio in [(6, 1), (5, 2), (4, 4)]
    ]


def reasoning():
    torch.manual_seed(0)
    return GraphReasoning(6, (5, 4), vertex_width=3, dropout=0.5).double().eval()


def reasoned_one_by_one(module, coarse, fine, finest):
    """The definition, vertex by vertex: an oracle that shares only the parameters with the module."""
    parameter = module.get_parameter
    result = torch.empty_like(coarse)
    for n in range(coarse.shape[0]):
        for row in range(coarse.shape[2]):
            for column in range(coarse.shape[3]):
                raw = coarse[n, :, row, column]
                first = parameter("va_embedding.0.weight").flatten(1)
                a = parameter("va_embedding.2.weight").flatten(1) @ (first @ raw).relu()
                sums = []
                for scale, ratio, feature in [("b", 2, fine), ("c", 4, finest)]:
                    inner = parameter(f"v{scale}_embedding.0.weight")
                    outer = parameter(f"v{scale}_embedding.2.weight")
                    linked = [
                        outer @ (inner @ feature[n, :, ratio * row + i, ratio * column + j]).relu()
                        for i in range(ratio)
                        for j in range(ratio)
                    ]
                    reweight = parameter(f"reweight_a{scale}.0.weight")[0]
                    score = torch.stack([(reweight @ torch.cat([a, vertex])).relu() for vertex in linked])
                    share = score.exp() / score.exp().sum()
                    gate = 1 - (parameter(f"va_gated_{scale}.0.weight").flatten(1) @ raw).sigmoid()
                    sums.append(gate * sum(weight * vertex for weight, vertex in zip(share, linked, strict=True)))
                joined = torch.cat([*sums, a]).sigmoid()
                hidden = (parameter("reproject.0.weight").flatten(1) @ joined).relu()
                result[n, :, row, column] = parameter("reproject.2.weight").flatten(1) @ hidden
    return result


def test_one_contraction_equals_the_loop_over_vertices():
    module, inputs = reasoning(), maps()
    torch.testing.assert_close(module(*inputs), reasoned_one_by_one(module, *inputs))


def test_works_on_a_single_vertex_of_a_single_image():
    module, inputs = reasoning(), [each[:1] for each in maps(1, 1)]
    torch.testing.assert_close(module(*inputs), reasoned_one_by_one(module, *inputs))


def test_linked_vertices_are_the_positions_that_a_coarse_one_covers():
    feature = torch.arange(16).reshape(1, 1, 4, 4)
    linked = linked_vertices(feature, ratio=2)
    assert linked.shape == (1, 2, 2, 4, 1)
    assert linked[0, 0, 1].flatten().tolist() == [2, 3, 6, 7]
    assert linked[0, 1, 0].flatten().tolist() == [8, 9, 12, 13]


def test_has_no_biases():
    assert not [name for name, _ in reasoning().named_parameters() if name.endswith("bias")]
