"""Put a calibrated artifact into the package as a shipped detector.

    python tools/ship_detector.py ARTIFACT real-faces-only

The weights stay the same. The card gets the licence of the shipped weights. Folders of the machine that trained them
become names, so that the card says nothing about that machine.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

from realface.models.artifact import copy_artifact, find_artifact, read_card

PACKAGE = Path(__file__).parent.parent / "src/realface/shipped"
LICENCE = "research use only, because of the faces that the weights were trained on; see LICENCE beside them"


def main() -> None:
    """Copy the artifact into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path, help="a calibrated artifact")
    parser.add_argument("name", help="name of the shipped detector")
    arguments = parser.parse_args()
    folder = find_artifact(arguments.artifact)
    card = read_card(folder)
    if card.calibration is None:
        parser.error(f"{folder} is not calibrated; run `realface calibrate` first")
    provenance = dict(card.provenance)
    if "command" in provenance:
        provenance["command"] = [re.sub(r"(?<![\w.])/(?:[\w.-]+/)+", "", word) for word in provenance["command"]]
    provenance["machine"] = {"cores": provenance.get("machine", {}).get("cores")}
    licence = (PACKAGE / arguments.name / "LICENCE").read_text(encoding="utf-8")
    target = PACKAGE / arguments.name
    shutil.rmtree(target)
    copy_artifact(folder, target, card.model_copy(update={"licence": LICENCE, "provenance": provenance}))
    (target / "LICENCE").write_text(licence, encoding="utf-8")
    print(f"shipped: {target}, {read_card(target).weights_sha256}")


if __name__ == "__main__":
    main()
