from django.apps import AppConfig


class CrashConfig(AppConfig):
    name = "tests.crash"
    label = "crash"

    def ready(self) -> None:
        from tests.crash import kinds  # noqa: F401  registers the jobs that crash
