import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mlassist.autolabel import engines
from mlassist.backbones import catalog

TEXTS = ("*.json", "*.txt", "*.model", "README.md", "LICENSE*")
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class Command(BaseCommand):
    help = (
        "Show how large a model of the hub is and under which licence, and put it where Loupe finds it. "
        "Worth fetching: " + ", ".join(engines.WORTH_FETCHING) + "."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "model", metavar="NAME|PATH", help="as on the hub, or a folder that was copied here"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, model: str, yes: bool, **options: Any) -> None:
        if Path(model).is_dir():
            self.copy(Path(model).resolve(), yes=yes)
        elif model.startswith(("/", ".", "~")):
            raise CommandError(f"There is no folder {model}.")
        else:
            self.fetch(model, yes=yes)

    def copy(self, folder: Path, *, yes: bool) -> None:
        """Take a folder of a model as its hub has it."""
        weights = catalog.weight_files(folder)
        if not catalog.model_type(folder) or not weights:
            raise CommandError(f"{folder} holds no model: a config.json and its weights are needed.")
        texts = [file for pattern in TEXTS for file in folder.glob(pattern)]
        size = sum(file.stat().st_size for file in [*weights, *texts])
        self.say(folder.name, catalog.model_type(folder), size, catalog.licence_of(folder))
        # Where it is looked for, if it is one of those worth fetching.
        known = {engines.last_part(name): name for name in engines.WORTH_FETCHING}
        target = settings.LOUPE_WEIGHTS_DIR / known.get(folder.name, folder.name)
        self.ask(yes=yes)
        target.mkdir(parents=True, exist_ok=True)
        for file in [*weights, *texts]:
            shutil.copy2(file, target / file.name)
        self.stdout.write(f"It lies in {target}.")

    def fetch(self, name: str, *, yes: bool) -> None:
        """Download a model from the hub."""
        try:
            from huggingface_hub import HfApi, snapshot_download
        except ImportError as error:
            how = "pip install -r deploy/requirements-hub.txt"
            raise CommandError(f"Downloads need huggingface_hub: {how}") from error
        try:
            found = HfApi().model_info(name, files_metadata=True)
            files = {each.rfilename: each.size or 0 for each in found.siblings or []}
            weights = next(
                (kind for kind in WEIGHTS if any(Path(each).match(kind) for each in files)), WEIGHTS[0]
            )
            wanted = (weights, *TEXTS)
            size = sum(size for file, size in files.items() if any(Path(file).match(each) for each in wanted))
            licence = f"Licence: {found.card_data.license}." if found.card_data else catalog.UNSTATED
            self.say(name, str((found.config or {}).get("model_type", "")), size, licence)
            self.ask(yes=yes)
            target = settings.LOUPE_WEIGHTS_DIR / name
            snapshot_download(name, local_dir=target, allow_patterns=list(wanted))
        except CommandError:
            raise
        except Exception as error:  # of the library, its own or those of what it connects with
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise CommandError(
                f"{name} could not be fetched: {reason} Where this machine has no way there, copy the model's"
                " folder here from another one, and name that folder."
            ) from error
        self.stdout.write(f"It lies in {target}.")

    def say(self, name: str, kind: str, size: int, licence: str) -> None:
        self.stdout.write(f"{name}: {kind or 'unknown kind'}, {size / 1e6:,.0f} MB. {licence}")

    def ask(self, *, yes: bool) -> None:
        if not yes and input("Put it here? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.")
