from django.apps import AppConfig


class MlassistConfig(AppConfig):
    name = "mlassist"

    def ready(self) -> None:
        # Registers jobs, ticks, panels.
        from mlassist import facts, featurization, finetuning, loop, meanings, survey, switching  # noqa: F401
