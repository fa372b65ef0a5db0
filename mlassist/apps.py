from django.apps import AppConfig


class MlassistConfig(AppConfig):
    name = "mlassist"

    def ready(self) -> None:
        from mlassist import facts, featurization, loop  # noqa: F401  registers jobs, ticks, panels
