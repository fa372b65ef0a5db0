from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from labeling.api import (
    checks,
    class_changes,
    classes,
    data,
    events,
    instructions,
    notifications,
    outlines,
    pages,
    projects,
)

urlpatterns = [
    path("projects/", projects.ProjectList.as_view(), name="api-projects"),
    path("projects/<int:project_id>/", projects.ProjectDetail.as_view(), name="api-project"),
    path(
        "projects/<int:project_id>/start/", projects.ProjectState.as_view(state="running"), name="api-start"
    ),
    path("projects/<int:project_id>/pause/", projects.ProjectState.as_view(state="paused"), name="api-pause"),
    path("projects/<int:project_id>/classes/", classes.ClassList.as_view(), name="api-classes"),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/",
        classes.ClassDetail.as_view(),
        name="api-class",
    ),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/retire/",
        classes.ClassRetire.as_view(),
        name="api-class-retire",
    ),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/restore/",
        classes.ClassRestore.as_view(),
        name="api-class-restore",
    ),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/merge/",
        classes.ClassMerge.as_view(),
        name="api-class-merge",
    ),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/move/",
        classes.ClassMove.as_view(),
        name="api-class-move",
    ),
    path(
        "projects/<int:project_id>/classes/<int:class_id>/split/",
        classes.ClassSplit.as_view(),
        name="api-class-split",
    ),
    path(
        "projects/<int:project_id>/class-changes/",
        class_changes.ClassChanges.as_view(),
        name="api-class-changes",
    ),
    path(
        "projects/<int:project_id>/class-changes/preview/",
        class_changes.ClassChangePreview.as_view(),
        name="api-class-change-preview",
    ),
    path(
        "projects/<int:project_id>/class-changes/retry/",
        class_changes.ClassChangeRetry.as_view(),
        name="api-class-change-retry",
    ),
    path(
        "projects/<int:project_id>/class-changes/<int:event_id>/",
        class_changes.ClassChange.as_view(),
        name="api-class-change",
    ),
    path(
        "projects/<int:project_id>/class-changes/<int:event_id>/undo/",
        class_changes.ClassChangeUndo.as_view(),
        name="api-class-change-undo",
    ),
    path(
        "projects/<int:project_id>/instructions/",
        instructions.Instructions.as_view(),
        name="api-instructions",
    ),
    path(
        "projects/<int:project_id>/instructions/pictures/",
        instructions.Pictures.as_view(),
        name="api-instruction-pictures",
    ),
    path("projects/<int:project_id>/members/", projects.Members.as_view(), name="api-members"),
    path("projects/<int:project_id>/invitations/", projects.Invitations.as_view(), name="api-invitations"),
    path("projects/<int:project_id>/pages/", pages.Pages.as_view(), name="api-pages"),
    path("projects/<int:project_id>/pages/undo/", pages.PageUndo.as_view(), name="api-page-undo"),
    path("projects/<int:project_id>/pages/<int:page_id>/", pages.PageDetail.as_view(), name="api-page"),
    path(
        "projects/<int:project_id>/pages/<int:page_id>/submit/",
        pages.PageSubmit.as_view(),
        name="api-page-submit",
    ),
    path(
        "projects/<int:project_id>/pages/<int:page_id>/extend/",
        pages.PageExtend.as_view(),
        name="api-page-extend",
    ),
    path(
        "projects/<int:project_id>/pages/<int:page_id>/release/",
        pages.PageRelease.as_view(),
        name="api-page-release",
    ),
    path("projects/<int:project_id>/checks/", checks.Checks.as_view(), name="api-checks"),
    path(
        "projects/<int:project_id>/checks/<int:page_id>/",
        checks.CheckAnswer.as_view(),
        name="api-check-answer",
    ),
    path("projects/<int:project_id>/items/", data.Items.as_view(), name="api-items"),
    path("projects/<int:project_id>/items/<int:item_id>/", data.ItemDetail.as_view(), name="api-item"),
    path(
        "projects/<int:project_id>/items/<int:item_id>/decision/",
        data.Decision.as_view(),
        name="api-decision",
    ),
    path(
        "projects/<int:project_id>/items/<int:item_id>/outline/",
        outlines.Outline.as_view(),
        name="api-outline",
    ),
    path("projects/<int:project_id>/reviews/", data.Reviews.as_view(), name="api-reviews"),
    path("projects/<int:project_id>/imports/", data.Imports.as_view(), name="api-imports"),
    path("projects/<int:project_id>/exports/", data.Exports.as_view(), name="api-exports"),
    path(
        "projects/<int:project_id>/exports/<int:job_id>/file/", data.ExportFile.as_view(), name="export-file"
    ),
    path("projects/<int:project_id>/events/", events.ProjectEvents.as_view(), name="api-events"),
    path("notifications/", notifications.Notifications.as_view(), name="api-notifications"),
    path("notifications/read/", notifications.NotificationsRead.as_view(), name="api-notifications-read"),
    path(
        "notifications/choices/",
        notifications.NotificationChoices.as_view(),
        name="api-notification-choices",
    ),
    path(
        "notifications/<int:notification_id>/read/",
        notifications.NotificationRead.as_view(),
        name="api-notification-read",
    ),
    path("events/", events.SiteEvents.as_view(), name="api-site-events"),
    path("jobs/<int:job_id>/", data.JobDetail.as_view(), name="api-job"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
