from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"

    def ready(self) -> None:
        # Registers jobs, ticks, and what is announced.
        from labeling import (  # noqa: F401
            completing,
            concord,
            data_sets,
            deleting,
            delivering,
            exporting,
            face_events,
            finishing,
            hiding,
            idempotency,
            importing,
            kinds,
            label_applying,
            label_checking,
            mailing,
            reading,
            refreshing,
            reworking,
            taking_back,
            unpacking,
            uploading,
        )
