from django.urls import path

from labeling.api import images
from labeling.api import instructions as written
from labeling.views import (
    accounts,
    assignments,
    classes,
    data,
    exports,
    favicon,
    imports,
    instructions,
    label,
    label_imports,
    log,
    notifications,
    people,
    projects,
    quality,
    reviewing,
    settings,
    teams,
    webhooks,
)

urlpatterns = [
    path("", projects.project_list, name="projects"),
    path("favicon.ico", favicon.favicon, name="favicon"),
    path("sign-in/", accounts.SignIn.as_view(), name="sign-in"),
    path("sign-out/", accounts.SignOut.as_view(), name="sign-out"),
    path("first-password/", accounts.first_password, name="first-password"),
    path("profile/", accounts.profile, name="profile"),
    path("profile/password/", accounts.change_password, name="profile-password"),
    path("profile/tokens/", accounts.make_token, name="profile-token"),
    path("profile/tokens/<int:token_id>/revoke/", accounts.revoke_token, name="profile-token-revoke"),
    path("profile/page-size/", accounts.remember_size, name="page-size"),
    path("profile/keys/", accounts.remember_keys, name="keys"),
    path("profile/language/", accounts.choose_language, name="language"),
    path("invitations/<slug:token>/", accounts.invitation, name="invitation"),
    path("images/<int:item_id>/", images.ImageFile.as_view(), name="image"),
    path("thumbnails/<int:item_id>/", images.ThumbnailFile.as_view(), name="thumbnail"),
    path("crops/<int:check_id>/", images.CropFile.as_view(), name="crop"),
    path("profile/notifications/", notifications.choose, name="profile-notifications"),
    path("notifications/", notifications.listed, name="notifications"),
    path("notifications/bell/", notifications.bell, name="bell"),
    path("notifications/read/", notifications.read_all, name="notifications-read"),
    path("notifications/<int:notification_id>/", notifications.opened, name="notification"),
    path("notifications/<int:notification_id>/read/", notifications.read, name="notification-read"),
    path("teams/", teams.team_list, name="teams"),
    path("teams/<int:team_id>/", teams.site_team, name="site-team"),
    path("teams/<int:team_id>/invite/", teams.invite, name="team-invite"),
    path(
        "teams/<int:team_id>/invitations/<int:invitation_id>/",
        teams.change_invitation,
        name="team-invitation",
    ),
    path("teams/<int:team_id>/people/<int:user_id>/", teams.change_person, name="team-person"),
    path("people/", teams.site_people, name="site-people"),
    path("people/<int:user_id>/", teams.site_person, name="site-person"),
    path("mail/", notifications.site_mail, name="site-mail"),
    path("mail/again/", notifications.site_mail_again, name="site-mail-again"),
    path("log/", log.site_log, name="site-log"),
    path("log/file/", log.site_log_file, name="site-log-file"),
    path("projects/new/", projects.project_new, name="project-new"),
    path("projects/new/name/", projects.project_new_name, name="project-new-name"),
    path("projects/new/template/", projects.project_new_template, name="project-new-template"),
    path("projects/<int:project_id>/", projects.dashboard, name="project"),
    path("projects/<int:project_id>/live/", projects.dashboard_live, name="project-live"),
    path("projects/<int:project_id>/figures/<slug:name>.csv", projects.figures_file, name="figures"),
    path("projects/<int:project_id>/label/", label.label, name="label"),
    path("projects/<int:project_id>/data/", data.gallery, name="data"),
    path("projects/<int:project_id>/data/<int:item_id>/", data.item_panel, name="item-panel"),
    path("projects/<int:project_id>/data/count/", data.count, name="data-count"),
    path(
        "projects/<int:project_id>/data/<int:item_id>/look-alikes/", data.look_alikes, name="item-look-alikes"
    ),
    path("projects/<int:project_id>/data/<int:item_id>/thread/", data.thread, name="item-thread"),
    path("projects/<int:project_id>/review/", reviewing.review_page, name="review"),
    path("projects/<int:project_id>/review/next/", reviewing.review_next, name="review-next"),
    path("projects/<int:project_id>/import/", imports.import_page, name="import"),
    path("projects/<int:project_id>/import/live/", imports.import_live, name="import-live"),
    path(
        "projects/<int:project_id>/uploads/<int:upload_id>/complete/",
        imports.upload_complete,
        name="upload-complete",
    ),
    path(
        "projects/<int:project_id>/uploads/<int:upload_id>/cancel/",
        imports.upload_cancel,
        name="upload-cancel",
    ),
    path("projects/<int:project_id>/import/labels/", label_imports.label_imports_page, name="label-imports"),
    path(
        "projects/<int:project_id>/import/labels/<int:label_import_id>/",
        label_imports.label_import_page,
        name="label-import",
    ),
    path(
        "projects/<int:project_id>/import/labels/<int:label_import_id>/live/",
        label_imports.label_import_live,
        name="label-import-live",
    ),
    path(
        "projects/<int:project_id>/import/labels/<int:label_import_id>/problems.csv",
        label_imports.label_import_problems,
        name="label-import-problems",
    ),
    path("projects/<int:project_id>/sources/<int:source_id>/", imports.source_page, name="source"),
    path(
        "projects/<int:project_id>/sources/<int:source_id>/refresh/", imports.refresh, name="source-refresh"
    ),
    path("projects/<int:project_id>/team/", people.team, name="team"),
    path("projects/<int:project_id>/team/<int:membership_id>/", people.change_member, name="member"),
    path(
        "projects/<int:project_id>/team/<int:membership_id>/limits/",
        people.member_limits,
        name="member-limits",
    ),
    path("projects/<int:project_id>/team/teams/", people.give_team, name="project-teams"),
    path("projects/<int:project_id>/team/teams/<int:team_id>/", people.change_team, name="project-team"),
    path("projects/<int:project_id>/assignments/", assignments.assignments, name="assignments"),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/change/",
        assignments.change,
        name="assignment-change",
    ),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/end/",
        assignments.end,
        name="assignment-end",
    ),
    path(
        "projects/<int:project_id>/assignments/<int:assignment_id>/resume/",
        assignments.resume,
        name="assignment-resume",
    ),
    path(
        "projects/<int:project_id>/team/invitations/<int:invitation_id>/resend/",
        people.resend_invitation,
        name="invitation-resend",
    ),
    path(
        "projects/<int:project_id>/team/invitations/<int:invitation_id>/revoke/",
        people.revoke_invitation,
        name="invitation-revoke",
    ),
    path(
        "projects/<int:project_id>/team/<int:membership_id>/pause/", quality.pause_member, name="member-pause"
    ),
    path("projects/<int:project_id>/agreement/", quality.agreement, name="agreement"),
    path(
        "projects/<int:project_id>/agreement/<slug:table>.csv", quality.agreement_file, name="agreement-file"
    ),
    path("projects/<int:project_id>/gold/", quality.gold_page, name="gold"),
    path("projects/<int:project_id>/settings/quality/", quality.settings_quality, name="settings-quality"),
    path("projects/<int:project_id>/exports/", exports.exports, name="exports"),
    path("projects/<int:project_id>/exports/preview/", exports.export_preview, name="export-preview"),
    path("projects/<int:project_id>/exports/live/", exports.exports_live, name="exports-live"),
    path(
        "projects/<int:project_id>/exports/<int:job_id>/changes/",
        exports.export_changes,
        name="export-changes",
    ),
    path("projects/<int:project_id>/webhooks/", webhooks.webhooks_page, name="webhooks"),
    path("projects/<int:project_id>/webhooks/<int:webhook_id>/", webhooks.webhook_page, name="webhook"),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/live/",
        webhooks.webhook_live,
        name="webhook-live",
    ),
    path("projects/<int:project_id>/webhooks/<int:webhook_id>/test/", webhooks.test, name="webhook-test"),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/secret/", webhooks.renew, name="webhook-secret"
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/delete/", webhooks.delete, name="webhook-delete"
    ),
    path(
        "projects/<int:project_id>/webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/again/",
        webhooks.send_again,
        name="delivery-again",
    ),
    path("projects/<int:project_id>/log/", log.log, name="log"),
    path("projects/<int:project_id>/log/file/", log.log_file, name="log-file"),
    path("projects/<int:project_id>/settings/", settings.settings, name="settings"),
    path("projects/<int:project_id>/settings/classes/", classes.add, name="settings-classes"),
    path("projects/<int:project_id>/settings/classes/<int:class_id>/", classes.edit, name="class-edit"),
    path("projects/<int:project_id>/settings/classes/<int:class_id>/move/", classes.move, name="class-move"),
    path(
        "projects/<int:project_id>/settings/classes/<int:class_id>/retire/",
        classes.retire,
        name="class-retire",
    ),
    path(
        "projects/<int:project_id>/settings/classes/<int:class_id>/restore/",
        classes.restore,
        name="class-restore",
    ),
    path(
        "projects/<int:project_id>/settings/classes/<int:class_id>/merge/", classes.merge, name="class-merge"
    ),
    path(
        "projects/<int:project_id>/settings/classes/<int:class_id>/split/", classes.split, name="class-split"
    ),
    path(
        "projects/<int:project_id>/settings/class-changes/<int:event_id>/undo/",
        classes.undo,
        name="class-undo",
    ),
    path("projects/<int:project_id>/settings/class-changes/progress/", classes.work, name="class-work"),
    path(
        "projects/<int:project_id>/settings/instructions/",
        instructions.instructions,
        name="settings-instructions",
    ),
    path(
        "projects/<int:project_id>/settings/instructions/preview/",
        instructions.preview,
        name="instructions-preview",
    ),
    path(
        "projects/<int:project_id>/settings/instructions/template/",
        instructions.template,
        name="instructions-template",
    ),
    path(
        "projects/<int:project_id>/settings/instructions/pictures/",
        instructions.pictures,
        name="instructions-pictures",
    ),
    path(
        "projects/<int:project_id>/instructions/pictures/<slug:sha256>/",
        written.PictureFile.as_view(),
        name="instructions-picture",
    ),
    path(
        "projects/<int:project_id>/settings/instructions/<int:version>/restore/",
        instructions.restore,
        name="instructions-restore",
    ),
    path("projects/<int:project_id>/settings/delete/", settings.delete, name="project-delete"),
    path("projects/<int:project_id>/settings/images/", imports.settings_taking, name="settings-taking"),
    path(
        "projects/<int:project_id>/settings/tokens/<int:token_id>/",
        settings.revoke_token,
        name="settings-token",
    ),
    path("projects/<int:project_id>/settings/state/", settings.set_state, name="settings-state"),
]
