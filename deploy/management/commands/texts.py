from typing import Any

from django.core.management.base import BaseCommand

from deploy import catalogs, texts


class Command(BaseCommand):
    help = "Bring the catalogs under locale/ up to date with the texts of the sources."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        found = texts.collect()
        for code, path in catalogs.sources(texts.BASE_DIR / "locale").items():
            catalog = texts.update(path, found)
            self.stdout.write(
                f"{code}: {len(catalog)} texts, {len(texts.missing(catalog))} to translate in {path}"
            )
