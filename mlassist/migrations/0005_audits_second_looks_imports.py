import django.db.models.deletion
from django.db import migrations, models

TAKE_OVER = """
UPDATE mlassist_audit a SET
    loss = CASE a."right" WHEN true THEN 0 WHEN false THEN 1 END,
    label_id = (
        SELECT max(l.id) FROM labeling_annotation l
        WHERE l.item_id = a.item_id AND l.certificate = a.certificate_id AND l.source = 'auto'
    ),
    answer_id = CASE WHEN a."right" IS NOT NULL THEN (
        SELECT min(l.id) FROM labeling_annotation l
        WHERE l.item_id = a.item_id AND l.kind = 'audit' AND l.withdrawn_at IS NULL AND NOT l.skipped
    ) END;
DELETE FROM mlassist_audit WHERE label_id IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0004_certified_proposals"),
        ("mlassist", "0004_proofs_on_regions"),
    ]

    operations = [
        migrations.AddField(
            model_name="audit",
            name="answer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="labeling.annotation",
            ),
        ),
        migrations.AddField(
            model_name="audit",
            name="label",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="labeling.annotation",
            ),
        ),
        migrations.AddField(
            model_name="audit",
            name="loss",
            field=models.FloatField(help_text="0 right, 1 wrong; empty until that is settled", null=True),
        ),
        migrations.AddField(
            model_name="audit",
            name="probability",
            field=models.FloatField(help_text="of having been drawn with its draw", null=True),
        ),
        migrations.RunSQL(TAKE_OVER, migrations.RunSQL.noop),
        migrations.RemoveField(model_name="audit", name="right"),
        migrations.AlterField(
            model_name="audit",
            name="label",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="labeling.annotation",
            ),
        ),
        migrations.AddIndex(
            model_name="audit",
            index=models.Index(
                condition=models.Q(("loss", None)),
                fields=["certificate"],
                include=("item",),
                name="audit_unsettled",
            ),
        ),
        migrations.AddConstraint(
            model_name="audit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("loss", None), models.Q(("loss__gte", 0), ("loss__lte", 1)), _connector="OR"
                ),
                name="audit_loss_range",
            ),
        ),
        migrations.CreateModel(
            name="SecondLook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "agreed",
                    models.BooleanField(help_text="whether the first answer was the model's, too"),
                ),
                (
                    "probability",
                    models.FloatField(help_text="of being asked about: less than one for those that agreed"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "certificate",
                    models.ForeignKey(
                        help_text="whose proof or audit the answer belongs to; empty for answers from the whole"
                        " pool",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="second_looks",
                        to="mlassist.certificate",
                    ),
                ),
                (
                    "first",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="labeling.annotation",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="labeling.item"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ImportCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("alike", "Alike"),
                            ("different", "Different"),
                            ("proved", "Proved"),
                            ("failed", "Failed"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "images",
                    models.PositiveIntegerField(
                        help_text="of the import, and of those compared along with it"
                    ),
                ),
                (
                    "score_distance",
                    models.FloatField(help_text="Kolmogorov-Smirnov distance of the scores", null=True),
                ),
                ("score_p", models.FloatField(null=True)),
                (
                    "nearness_distance",
                    models.FloatField(help_text="of the distances to the nearest training image", null=True),
                ),
                ("nearness_p", models.FloatField(null=True)),
                ("why", models.CharField(blank=True, help_text="in plain words", max_length=200)),
                (
                    "blind",
                    models.PositiveIntegerField(
                        default=0, help_text="own blind labels where the model is sure"
                    ),
                ),
                ("errors", models.PositiveIntegerField(default=0)),
                (
                    "needed",
                    models.PositiveIntegerField(
                        default=0, help_text="blind labels in all, as far as it can be told"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "certificate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imports",
                        to="mlassist.certificate",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="labeling.datasource",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("certificate", "source"), name="import_check_once"),
                    models.CheckConstraint(
                        condition=models.Q(("errors__lte", models.F("blind"))), name="import_check_errors"
                    ),
                ],
            },
        ),
    ]
