import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

HOLDS_TARGET = models.Q(
    ("state__in", ("refused", "open")),
    models.Q(
        threshold__isnull=False, allowed_error__isnull=False, bound__lte=models.F("target_error")
    ),
    _connector="OR",
)

# A proof under way does not know what the model said of its images, which it is judged by from now on.
KEEP_WHAT_HOLDS = """
    UPDATE mlassist_certificate SET allowed_error = target_error WHERE threshold IS NOT NULL;
    UPDATE mlassist_certificate SET state = 'refused', reason = 'It was given up in an update of Loupe.'
    WHERE state = 'open';
    UPDATE labeling_queueentry e SET kind = 'manual', priority = 1, inclusion_probability = NULL
    FROM mlassist_regiondraw d, labeling_item i, labeling_project p
    WHERE e.item_id = d.item_id AND i.id = e.item_id AND p.id = e.project_id
    AND e.kind = 'validation' AND e.open_slots = e.needed AND i.draw >= p.validation_rate;
    DELETE FROM mlassist_regiondraw;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0005_promise"),
        ("mlassist", "0005_audits_second_looks_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="certificate", name="certificate_holds_target"),
        migrations.AddField(
            model_name="certificate",
            name="promise",
            field=models.CharField(
                choices=[
                    ("each", "Of the labels that the model gives"),
                    ("whole", "Of all labels in the data set"),
                ],
                default="each",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="certificate",
            name="allowed_error",
            field=models.FloatField(null=True, help_text="of its own labels; audits hold it to that"),
        ),
        migrations.AlterField(
            model_name="certificate",
            name="bound",
            field=models.FloatField(
                null=True, help_text="upper confidence bound of the error: of the region, or of the whole set"
            ),
        ),
        migrations.RunSQL(KEEP_WHAT_HOLDS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="certificate",
            constraint=models.CheckConstraint(condition=HOLDS_TARGET, name="certificate_holds_target"),
        ),
        migrations.AddField(
            model_name="regiondraw",
            name="score",
            field=models.FloatField(),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="regiondraw",
            name="answer",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                help_text="ids of the classes that the model said",
                size=None,
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="WithheldClass",
            fields=[
                (
                    "label_class",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="labeling.labelclass",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="withheld_classes",
                        to="labeling.project",
                    ),
                ),
            ],
        ),
    ]
