from django.urls import path

from mlassist import views

urlpatterns = [
    path("projects/<int:project_id>/models/", views.models, name="models"),
    path("projects/<int:project_id>/models/live/", views.models_live, name="models-live"),
    path("projects/<int:project_id>/models/runs/<int:run_id>/", views.run_log, name="run"),
    path("projects/<int:project_id>/models/train/", views.train, name="train"),
    path("projects/<int:project_id>/models/backbone/", views.choose_backbone, name="backbone"),
    path("projects/<int:project_id>/models/backbone/survey/", views.survey_backbones, name="backbone-survey"),
    path("projects/<int:project_id>/models/fine-tuning/", views.fine_tune, name="fine-tune"),
    path("projects/<int:project_id>/certificate/", views.certificate, name="certificate"),
    path("projects/<int:project_id>/certificate/classes/", views.withhold, name="withhold"),
    path("projects/<int:project_id>/certificate/preview/", views.preview, name="preview"),
    path(
        "projects/<int:project_id>/certificate/<int:certificate_id>/read/",
        views.read_notice,
        name="certificate-read",
    ),
    path("api/projects/<int:project_id>/runs/", views.Runs.as_view(), name="api-runs"),
    path("api/projects/<int:project_id>/backbones/", views.Backbones.as_view(), name="api-backbones"),
    path("api/projects/<int:project_id>/fine-tuning/", views.FineTuning.as_view(), name="api-fine-tuning"),
    path(
        "api/projects/<int:project_id>/withheld-classes/",
        views.WithheldClasses.as_view(),
        name="api-withheld-classes",
    ),
    path(
        "api/projects/<int:project_id>/certificates/", views.Certificates.as_view(), name="api-certificates"
    ),
]
