import torch

from realface.models.eager import eager


def test_what_is_drawn_within_compiled_code_is_what_plain_code_draws():
    @eager
    def drawn(count):
        return torch.rand(count)

    compiled = torch.compile(lambda count: 2 * drawn(count), backend="eager")
    torch.manual_seed(0)
    expected = 2 * torch.rand(3)
    torch.manual_seed(0)
    torch.testing.assert_close(compiled(3), expected, rtol=0, atol=0)
