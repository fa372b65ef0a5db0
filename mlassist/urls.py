from django.urls import path

from mlassist import views
from mlassist.autolabel import api
from mlassist.autolabel import views as pages
from mlassist.custom import api as custom_api
from mlassist.custom import views as custom

urlpatterns = [
    path("projects/<int:project_id>/auto-label/", pages.auto_label, name="auto-label"),
    path("projects/<int:project_id>/auto-label/live/", pages.auto_label_live, name="auto-label-live"),
    path(
        "projects/<int:project_id>/auto-label/summary/", pages.auto_label_summary, name="auto-label-summary"
    ),
    path(
        "projects/<int:project_id>/auto-label/<int:run_id>/",
        pages.auto_label_change,
        name="auto-label-change",
    ),
    path("api/projects/<int:project_id>/auto-label/", api.AutoLabel.as_view(), name="api-auto-label"),
    path(
        "api/projects/<int:project_id>/auto-label/examples/",
        api.Examples.as_view(),
        name="api-auto-label-examples",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/examples/<int:example_id>/",
        api.ExampleDetail.as_view(),
        name="api-auto-label-example",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/tests/",
        api.Trials.as_view(),
        name="api-auto-label-tests",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/tests/<int:trial_id>/",
        api.TrialDetail.as_view(),
        name="api-auto-label-test",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/tests/<int:trial_id>/runs/",
        api.TrialRuns.as_view(),
        name="api-auto-label-start",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/outside/",
        api.Outside.as_view(),
        name="api-auto-label-outside",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/runs/<int:run_id>/suggestions/",
        api.Suggestions.as_view(),
        name="api-auto-label-suggest",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/runs/",
        api.AutoLabelRuns.as_view(),
        name="api-auto-label-runs",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/runs/<int:run_id>/",
        api.AutoLabelRun.as_view(),
        name="api-auto-label-run",
    ),
    path(
        "api/projects/<int:project_id>/auto-label/start/",
        custom_api.AutoLabelStart.as_view(),
        name="api-auto-label-start-own",
    ),
    path(
        "api/projects/<int:project_id>/custom-models/",
        custom_api.CustomModels.as_view(),
        name="api-custom-models",
    ),
    path(
        "api/projects/<int:project_id>/custom-models/<int:custom_id>/",
        custom_api.CustomModelDetail.as_view(),
        name="api-custom-model",
    ),
    path(
        "api/projects/<int:project_id>/custom-models/<int:custom_id>/choice/",
        custom_api.CustomModelChoice.as_view(),
        name="api-custom-model-choice",
    ),
    path("projects/<int:project_id>/auto-label/start/", custom.auto_label_start, name="auto-label-start"),
    path("projects/<int:project_id>/custom-models/", custom.custom_models, name="custom-models"),
    path("projects/<int:project_id>/custom-models/choice/", custom.end_choice, name="custom-model-choice"),
    path(
        "projects/<int:project_id>/custom-models/<int:custom_id>/", custom.custom_model, name="custom-model"
    ),
    path(
        "projects/<int:project_id>/custom-models/<int:custom_id>/live/",
        custom.custom_model_live,
        name="custom-model-live",
    ),
    path(
        "projects/<int:project_id>/custom-models/<int:custom_id>/change/",
        custom.custom_model_change,
        name="custom-model-change",
    ),
    path(
        "projects/<int:project_id>/custom-models/<int:custom_id>/rounds/<int:number>/",
        custom.custom_model_vote,
        name="custom-model-vote",
    ),
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
