"""The table of RECCE's encoders says what the code makes of them."""

from pathlib import Path

import pytest
import torch

from realface.models.recce.config import RecceConfig
from realface.models.recce.encoders.timm_encoder import TimmEncoder
from realface.models.recce.network import Recce

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "recce.md"
ROWS = [
    [cell.strip().replace("`", "") for cell in line.strip("|\n").split("|")][1:]
    for line in PAGE.read_text().splitlines()
    if line.endswith(" M |")
]


def millions(module):
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.1f} M"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_gives_widths_and_sizes(row):
    with torch.device("meta"):
        network = Recce(RecceConfig(encoder=row[0]))
    encoder = network.encoder
    sizes = f"{millions(encoder)}, {millions(network)}"
    assert row[4:] == [str(encoder.embedding_width), str(encoder.feature_width), sizes]


@pytest.mark.parametrize("row", [row for row in ROWS if not row[0].endswith("_xception")], ids=lambda row: row[0])
def test_a_row_names_the_last_blocks_of_the_first_three_parts(row):
    with torch.device("meta"):
        encoder = TimmEncoder(row[0])
    called = []
    for name, module in encoder.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    feature, last = torch.zeros(1, 3, 64, 64, device="meta"), []
    for part in (encoder.embed, encoder.to_reasoning, encoder.to_attention):
        feature = part(feature)
        last.append(called[-1])
    assert row[1:4] == last
