"""`realface import`: make an artifact from weights that a method's authors trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from realface.cli import crop_options

if TYPE_CHECKING:
    from realface.core.artifact import ArtifactCard

AsJson = Annotated[bool, typer.Option("--json", help="Print the artifact's card as JSON.")]
Crop = Annotated[str | None, typer.Option(metavar="SPEC", help=f"{crop_options.HELP} Default: unknown.")]
Reals = Annotated[
    Path | None,
    typer.Option(
        metavar="MANIFEST",
        help="Real faces to fit the score of an MAE, which takes their crop settings; not with --detector.",
    ),
]
Pixels = Annotated[
    Literal["plain", "imagenet"],
    typer.Option(
        help="Input of the MAE: `plain`: pixels in [0, 1]; `imagenet`: normalised with ImageNet's statistics."
    ),
]
app = typer.Typer(no_args_is_help=True, help="Import weights that a method's authors trained.")


@app.command()
def recce(
    file: Annotated[Path, typer.Argument(help="Checkpoint or state dict (.bin, .pth, .pt or .safetensors).")],
    out: Annotated[Path, typer.Argument(help="Folder for the artifact; must be new or empty.")],
    size: Annotated[
        int,
        typer.Option(min=64, max=2048, help="Input size in training, in pixels; 224 for the weights for WildDeepfake."),
    ] = 299,
    crop: Crop = None,
    as_json: AsJson = False,
) -> None:
    """Import RECCE's weights, as saved by its authors' code or by DeepfakeBench.

    Code in the file is not executed. Weights that do not match the network are refused; the error lists every missing
    or unknown tensor and every wrong shape.
    """
    from realface.core.files import require_free
    from realface.models.artifact import read_card, save_artifact
    from realface.models.recce.released import read_recce

    require_free(out)
    spec = None if crop is None else crop_options.parse_crop_spec(crop)
    network, card = read_recce(file, input_size=size, crop=spec)
    save_artifact(out, network, card)
    card = read_card(out)
    if as_json:
        _print_json(card, out)
    else:
        _print_detector(card, out)


@app.command()
def rffr(
    out: Annotated[Path, typer.Argument(help="Folder for the artifact; must be new or empty.")],
    mae: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Masked autoencoder with encoder and decoder (.pth.tar or .safetensors)."),
    ],
    detector: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The detector's two branches. Default: import only the MAE.")
    ] = None,
    reals: Reals = None,
    faces: Annotated[
        int | None,
        typer.Option(min=20, help="With --reals: largest number of faces to use, evenly spaced. Default: 2,000."),
    ] = None,
    pixels: Pixels = "plain",
    norm_pix: Annotated[
        bool, typer.Option("--norm-pix", help="The MAE was trained with per-patch normalised targets (norm_pix_loss).")
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=2048, help="Input size in training, in pixels. Default: as in the weights."),
    ] = None,
    crop: Crop = None,
    device: Annotated[str, typer.Option(help="With --reals: auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Import RFFR's weights, as saved by its authors' code, or a public masked autoencoder (MAE).

    With --detector, the artifact is a detector and includes its MAE. Without --detector, the artifact contains only the
    MAE, which inpaints. With --reals, the MAE is also a detector, which scores the difference from real faces.

    Code in the files is not executed. Weights that do not match the network are refused; the error lists every missing
    or unknown tensor and every wrong shape.
    """
    _refuse_contradictions(detector=detector, reals=reals, faces=faces, norm_pix=norm_pix, crop=crop)

    from realface.core.files import require_free
    from realface.models.artifact import read_card, save_artifact
    from realface.models.rffr.released import read_rffr

    require_free(out)
    spec = None if crop is None else crop_options.parse_crop_spec(crop)
    network, card = read_rffr(mae, detector=detector, input_size=size, pixels=pixels, norm_pix=norm_pix, crop=spec)
    if reals is not None:
        from realface.evaluation.real_only import MOST_FACES, complete_on_reals
        from realface.models.devices import resolve_device

        settings: dict[str, Any] = {"device": resolve_device(device), "most_faces": faces or MOST_FACES}
        card = complete_on_reals(network, card, reals, quiet=as_json, **settings)
    save_artifact(out, network, card)
    if as_json:
        _print_json(read_card(out), out)
    elif detector is None and reals is None:
        _print_mae(read_card(out), out)
    else:
        _print_detector(read_card(out), out, reals=reals)


def _print_detector(card: ArtifactCard, out: Path, *, reals: Path | None = None) -> None:
    _print_origin(card)
    if reals is not None:
        _print_fit(card, reals)
    _print_use(card, out)


def _refuse_contradictions(
    *, detector: Path | None, reals: Path | None, faces: int | None, norm_pix: bool, crop: str | None
) -> None:
    if faces is not None and reals is None:
        raise typer.BadParameter("--faces says how many of the real faces are used; give --reals MANIFEST too")
    if reals is None:
        return
    if detector is not None:
        raise typer.BadParameter("--reals gives an MAE alone its score, and --detector has its own; give one of them")
    if norm_pix:
        raise typer.BadParameter("--norm-pix says that the MAE cannot inpaint, so --reals can give it no score")
    if crop is not None:
        raise typer.BadParameter("the crops are as --reals MANIFEST says; leave --crop out")


def _print_json(card: ArtifactCard, out: Path) -> None:
    import json

    print(json.dumps({"artifact": str(out), **card.model_dump(mode="json")}, indent=2, ensure_ascii=False))


def _print_origin(card: ArtifactCard) -> None:
    said = ", ".join(f"{name} {value}" for name, value in card.metrics.items() if name != "fit")
    print(f"{card.method} at {card.input_size} x {card.input_size} pixels; crops: {card.crop.describe()}")
    print(f"what the file says of its validation: {said or 'nothing'}")


def _print_fit(card: ArtifactCard, reals: Path) -> None:
    fit = card.metrics["fit"]
    left_out = fit["left_out"]
    print(
        f"its score is fitted on {fit['fitted_on_faces']} real faces of {reals}; left out: fakes {left_out['fakes']}, "
        f"faces of the test split {left_out['test_split']}, more than needed {left_out['more_than_needed']}"
    )
    print(f"fake from {card.threshold:.4f} up: {card.threshold_rule}")


def _print_mae(card: ArtifactCard, out: Path) -> None:
    from realface.core.shipped import WEIGHTS_NAME

    _print_origin(card)
    if card.config["norm_pix"]:
        print("it can neither inpaint nor give verdicts: it was trained with per-patch normalised targets")
        print(f"a training of an MAE may start from it: encoder_weights: {out / WEIGHTS_NAME}")
    else:
        print("it inpaints (`realface inpaint`, `realface residuals`, a recipe's `mae`)")
        print("it gives no verdicts: it was not fitted on real faces, which --reals MANIFEST does")
    print(f"mae: {out}")


def _print_use(card: ArtifactCard, out: Path) -> None:
    if card.crop.is_unknown:
        print("how its faces were cut out is not known, so `detect` takes face crops (--crops); --crop SPEC says how")
    print(f"detector: {out}")
