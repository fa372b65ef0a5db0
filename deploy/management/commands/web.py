import os

from django.core.management.base import BaseCommand

from deploy.processes import gunicorn
from deploy.static import build


class Command(BaseCommand):
    help = "Serve the web pages and the API with gunicorn."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        os.environ["LOUPE_STATIC_BUILT"] = "True"
        build()
        command = gunicorn()
        os.execv(command[0], command)
