from django.apps import AppConfig


class MlassistConfig(AppConfig):
    name = "mlassist"

    def ready(self) -> None:
        # Registers jobs, ticks, panels, and what the log says.
        from mlassist import facts, featurization, finetuning, loop, meanings, survey, switching, telling  # noqa: F401
