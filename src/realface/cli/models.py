"""`realface models`: list the shipped detectors and the methods that can be trained."""

from __future__ import annotations

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """List the shipped detectors, for `detect --model`, and the methods that `train` supports."""
    import json

    from realface.core.shipped import DEFAULT_NAME, shipped_detectors
    from realface.models.artifact import read_card
    from realface.models.catalog import known_methods

    cards = {name: read_card(folder) for name, folder in shipped_detectors().items()}
    if as_json:
        shown = {
            name: {
                "method": card.method,
                "input_size": card.input_size,
                "purpose": card.purpose,
                "licence": card.licence,
                "weights_sha256": card.weights_sha256,
                "is_default": name == DEFAULT_NAME,
            }
            for name, card in cards.items()
        }
        methods = {name: method.summary for name, method in known_methods().items()}
        print(json.dumps({"detectors": shown, "methods": methods}, indent=2))
        return
    print("shipped detectors:" if cards else "shipped detectors: none in this build")
    for name, card in cards.items():
        default = " (default)" if name == DEFAULT_NAME else ""
        print(f"  {name}{default}: {card.method}, {card.input_size} px, {card.weights_sha256[:12]}; {card.licence}")
    print("methods:")
    for name, method in known_methods().items():
        print(f"  {name}: {method.summary}")
