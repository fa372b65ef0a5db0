from django.urls import include, path

from deploy.health import healthz

urlpatterns = [
    path("healthz/", healthz, name="healthz"),
    path("api/", include("labeling.api.urls")),
    path("", include("labeling.urls")),
    path("", include("mlassist.urls")),
]
