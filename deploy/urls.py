from django.urls import include, path

urlpatterns = [
    path("api/", include("labeling.api.urls")),
    path("", include("labeling.urls")),
    path("", include("mlassist.urls")),
]
