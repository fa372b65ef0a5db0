from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from labeling.api import (
    assignments,
    checks,
    class_changes,
    classes,
    data,
    events,
    instructions,
    notifications,
    outlines,
    pages,
    people,
    projects,
    quality,
    reviewing,
    sources,
    tokens,
    webhooks,
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
    path("projects/<int:project_id>/members/", people.Members.as_view(), name="api-members"),
    path(
        "projects/<int:project_id>/members/<int:membership_id>/", people.Member.as_view(), name="api-member"
    ),
    path("projects/<int:project_id>/invitations/", people.Invitations.as_view(), name="api-invitations"),
    path(
        "projects/<int:project_id>/invitations/<int:invitation_id>/resend/",
        people.InvitationAct.as_view(act="resend"),
        name="api-invitation-resend",
    ),
    path(
        "projects/<int:project_id>/invitations/<int:invitation_id>/revoke/",
        people.InvitationAct.as_view(act="revoke"),
        name="api-invitation-revoke",
    ),
    path("projects/<int:project_id>/teams/", people.ProjectTeams.as_view(), name="api-project-teams"),
    path(
        "projects/<int:project_id>/teams/<int:team_id>/",
        people.ProjectTeamDetail.as_view(),
        name="api-project-team",
    ),
    path("projects/<int:project_id>/assignments/", assignments.Assignments.as_view(), name="api-assignments"),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/",
        assignments.AssignmentDetail.as_view(),
        name="api-assignment",
    ),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/end/",
        assignments.AssignmentEnd.as_view(),
        name="api-assignment-end",
    ),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/resume/",
        assignments.AssignmentResume.as_view(),
        name="api-assignment-resume",
    ),
    path("teams/", people.Teams.as_view(), name="api-teams"),
    path("teams/<int:team_id>/", people.TeamDetail.as_view(), name="api-team"),
    path("teams/<int:team_id>/people/<int:user_id>/", people.TeamPerson.as_view(), name="api-team-person"),
    path("teams/<int:team_id>/invitations/", people.TeamInvitations.as_view(), name="api-team-invitations"),
    path(
        "teams/<int:team_id>/invitations/<int:invitation_id>/resend/",
        people.TeamInvitationAct.as_view(act="resend"),
        name="api-team-invitation-resend",
    ),
    path(
        "teams/<int:team_id>/invitations/<int:invitation_id>/revoke/",
        people.TeamInvitationAct.as_view(act="revoke"),
        name="api-team-invitation-revoke",
    ),
    path("tokens/", tokens.Tokens.as_view(), name="api-tokens"),
    path("tokens/<int:token_id>/", tokens.TokenDetail.as_view(), name="api-token"),
    path("projects/<int:project_id>/tokens/", tokens.ProjectTokens.as_view(), name="api-project-tokens"),
    path(
        "projects/<int:project_id>/tokens/<int:token_id>/",
        tokens.ProjectTokenDetail.as_view(),
        name="api-project-token",
    ),
    path("people/", people.People.as_view(), name="api-people"),
    path("people/<int:user_id>/", people.Person.as_view(), name="api-person"),
    path(
        "projects/<int:project_id>/members/<int:membership_id>/pause/",
        quality.MemberPause.as_view(),
        name="api-member-pause",
    ),
    path(
        "projects/<int:project_id>/members/<int:membership_id>/resume/",
        quality.MemberResume.as_view(),
        name="api-member-resume",
    ),
    path("projects/<int:project_id>/agreement/", quality.Agreement.as_view(), name="api-agreement"),
    path("projects/<int:project_id>/gold/", quality.Gold.as_view(), name="api-gold"),
    path("projects/<int:project_id>/gold/<int:item_id>/", quality.GoldDetail.as_view(), name="api-gold-item"),
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
    path(
        "projects/<int:project_id>/items/<int:item_id>/look-alikes/",
        reviewing.LookAlikes.as_view(),
        name="api-look-alikes",
    ),
    path(
        "projects/<int:project_id>/items/<int:item_id>/comments/",
        reviewing.Comments.as_view(),
        name="api-comments",
    ),
    path(
        "projects/<int:project_id>/comments/<int:comment_id>/",
        reviewing.CommentDetail.as_view(),
        name="api-comment",
    ),
    path("projects/<int:project_id>/reviews/", reviewing.Reviews.as_view(), name="api-reviews"),
    path(
        "projects/<int:project_id>/reviews/<int:batch_id>/undo/",
        reviewing.ReviewUndo.as_view(),
        name="api-review-undo",
    ),
    path("projects/<int:project_id>/review-queue/", reviewing.ReviewQueue.as_view(), name="api-review-queue"),
    path("projects/<int:project_id>/quality/", reviewing.Quality.as_view(), name="api-quality"),
    path("projects/<int:project_id>/sampling/", reviewing.Sampling.as_view(), name="api-sampling"),
    path("projects/<int:project_id>/locks/", reviewing.Locks.as_view(), name="api-locks"),
    path(
        "projects/<int:project_id>/saved-filters/", reviewing.SavedFilters.as_view(), name="api-saved-filters"
    ),
    path(
        "projects/<int:project_id>/saved-filters/<int:filter_id>/",
        reviewing.SavedFilterDetail.as_view(),
        name="api-saved-filter",
    ),
    path("projects/<int:project_id>/imports/", data.Imports.as_view(), name="api-imports"),
    path(
        "projects/<int:project_id>/sources/<int:source_id>/",
        sources.SourceDetail.as_view(),
        name="api-source",
    ),
    path(
        "projects/<int:project_id>/sources/<int:source_id>/refresh/",
        sources.SourceRefresh.as_view(),
        name="api-source-refresh",
    ),
    path(
        "projects/<int:project_id>/sources/<int:source_id>/read-again/",
        sources.SourceRefresh.as_view(again=True),
        name="api-source-read-again",
    ),
    path("projects/<int:project_id>/exports/", data.Exports.as_view(), name="api-exports"),
    path(
        "projects/<int:project_id>/exports/<int:job_id>/file/", data.ExportFile.as_view(), name="export-file"
    ),
    path("projects/<int:project_id>/webhooks/", webhooks.Webhooks.as_view(), name="api-webhooks"),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/",
        webhooks.WebhookDetail.as_view(),
        name="api-webhook",
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/secret/",
        webhooks.WebhookSecret.as_view(),
        name="api-webhook-secret",
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/test/",
        webhooks.WebhookTest.as_view(),
        name="api-webhook-test",
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/deliveries/",
        webhooks.Deliveries.as_view(),
        name="api-deliveries",
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/again/",
        webhooks.DeliveryAgain.as_view(),
        name="api-delivery-again",
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
