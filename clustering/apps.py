from django.apps import AppConfig


class ClusteringConfig(AppConfig):
    name = "clustering"

    def ready(self) -> None:
        from clustering import alike  # noqa: F401  # registers what pages ask for
