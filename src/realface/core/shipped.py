"""The detectors and recipes that are part of the package, in `realface/shipped` and `realface/recipes`."""

from __future__ import annotations

from pathlib import Path

from realface.core.errors import ArtifactError, MissingInputError

CARD_NAME = "model.json"
WEIGHTS_NAME = "model.safetensors"
DEFAULT_NAME = "real-faces-only"
"""The detector that `realface detect` uses by default."""

SHIPPED_FOLDER = Path(__file__).parents[1] / "shipped"
SHIPPED_RECIPES = Path(__file__).parents[1] / "recipes"

NO_DETECTOR = "this build ships no detector"
GIVE_DETECTOR = (
    "pass --model ARTIFACT: `realface demo` makes a small one to try things out (demo/run/artifact), `realface train` "
    "makes one from your data (RUN/artifact), `realface import` makes one from the weights of a method's authors"
)


def shipped_detectors(folder: Path | None = None) -> dict[str, Path]:
    """Return the shipped artifacts by name, the default first, then in alphabetical order.

    Args:
        folder: the folder that contains them; the package's own by default.

    Example:
        >>> list(shipped_detectors())
        ['real-faces-only']
    """
    root = SHIPPED_FOLDER if folder is None else folder
    found = sorted(card.parent for card in root.glob(f"*/{CARD_NAME}"))
    return {path.name: path for path in sorted(found, key=lambda path: path.name != DEFAULT_NAME)}


def default_artifact() -> Path:
    """Return the folder of the default detector.

    Raises:
        ArtifactError: this build ships none.
    """
    shipped = shipped_detectors()
    if DEFAULT_NAME not in shipped:
        raise ArtifactError(NO_DETECTOR, hint=GIVE_DETECTOR)
    return shipped[DEFAULT_NAME]


def require_artifact(named: Path | None) -> None:
    """Raise an error if there is no such artifact; a command calls this before it imports torch, which takes seconds.

    Args:
        named: path of an artifact, or name of a shipped detector; None means the default detector.

    Raises:
        MissingInputError: no such path and no such shipped detector.
        ArtifactError: `named` is None and this build ships no detector.
    """
    if named is None:
        default_artifact()
    else:
        artifact_folder(named)


def artifact_folder(named: Path) -> Path:
    """Return the folder that a user means: an existing path, or else the shipped detector with that name.

    Raises:
        MissingInputError: neither exists; the text lists the shipped detectors.
    """
    if named.exists():
        return named
    shipped = shipped_detectors()
    if str(named) in shipped:
        return shipped[str(named)]
    names = f", or give a shipped detector: {', '.join(shipped)}" if shipped else " (this build ships no detector)"
    raise MissingInputError(f"artifact {named} does not exist", hint=f"check the path{names}")


def shipped_recipes() -> dict[str, Path]:
    """Return the YAML files of the shipped recipes by name, in alphabetical order."""
    return {path.stem: path for path in sorted(SHIPPED_RECIPES.glob("*.yaml"), key=lambda path: path.stem)}


def find_recipe(name: str | Path) -> Path:
    """Return the YAML file of a recipe.

    Args:
        name: path of a YAML file, or name of a shipped recipe, such as `demo`; a file takes precedence.

    Raises:
        MissingInputError: neither exists; the hint lists the shipped recipes.

    Example:
        >>> find_recipe("demo").name
        'demo.yaml'
    """
    if Path(name).is_file():
        return Path(name)
    shipped = shipped_recipes()
    if str(name) not in shipped:
        raise MissingInputError(
            f"recipe {name} does not exist", hint=f"check the path, or use a shipped recipe: {', '.join(shipped)}"
        )
    return shipped[str(name)]
