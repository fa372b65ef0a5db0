from django.apps import AppConfig


class MlassistConfig(AppConfig):
    name = "mlassist"

    def ready(self) -> None:
        # Registers jobs, ticks, panels, and what the log says.
        from mlassist import (  # noqa: F401
            faces,
            facts,
            featurization,
            finetuning,
            leavings,
            loop,
            meanings,
            survey,
            switching,
            telling,
        )
        from mlassist.autolabel import proposing, trials  # noqa: F401
        from mlassist.custom import making  # noqa: F401
