from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0004_certified_proposals")]

    operations = [
        migrations.AddField(
            model_name="project",
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
        migrations.AlterField(
            model_name="project",
            name="target_error",
            field=models.FloatField(default=0.05, help_text="share of labels that may be wrong"),
        ),
    ]
