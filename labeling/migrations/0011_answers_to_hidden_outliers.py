import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0010_language_and_keys'),
    ]

    operations = [
        migrations.AlterField(
            model_name='decoy',
            name='found',
            field=models.BooleanField(help_text='empty until it is answered, and after a skip', null=True),
        ),
        migrations.AddField(
            model_name='decoy',
            name='classes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='decoy',
            name='skip_reason',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='decoy',
            name='said',
            field=models.CharField(blank=True, choices=[('classes', 'Classes'), ('skip', 'Skip'), ('exception', 'Exception')], help_text="what the labeler's last answer was; empty without one", max_length=9),
        ),
        # What went by had the proposed class; what was seen is gone from its page.
        migrations.RunSQL(
            """
            UPDATE labeling_decoy d SET said = 'classes', classes = ARRAY[p.proposed_class_id]
            FROM labeling_page p WHERE p.id = d.page_id AND NOT d.found AND p.proposed_class_id IS NOT NULL;
            UPDATE labeling_decoy SET said = 'exception' WHERE found;
            """,
            migrations.RunSQL.noop,
        ),
    ]
