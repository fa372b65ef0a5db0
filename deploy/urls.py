from django.urls import include, path

from deploy.health import healthz
from labeling.api.projects import Unknown

handler404 = "labeling.views.missing.not_found"

urlpatterns = [
    path("healthz/", healthz, name="healthz"),
    path("api/", include("labeling.api.urls")),
    path("", include("labeling.urls")),
    path("", include("mlassist.urls")),
    path("api/<path:rest>", Unknown.as_view(), name="api-unknown"),
]
