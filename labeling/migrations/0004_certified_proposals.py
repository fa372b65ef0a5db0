from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0003_grids_and_rechecks"),
    ]

    operations = [
        migrations.AddField(
            model_name="queueentry",
            name="certificate",
            field=models.BigIntegerField(null=True, help_text="id of the one that the proposal rests on"),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="certificate",
            field=models.BigIntegerField(
                null=True, help_text="id of the one that it, or its proposal, rests on"
            ),
        ),
    ]
