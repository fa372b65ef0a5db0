"""The tables as they are now, in one step for a new database; others took those that this replaces."""

from importlib import import_module
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CERTIFIED = import_module("mlassist.migrations.0002_certified_labels_only")


class Migration(migrations.Migration):

    replaces = [('mlassist', '0001_runs_models_certificates'), ('mlassist', '0002_certified_labels_only'), ('mlassist', '0003_choice_of_backbones'), ('mlassist', '0004_proofs_on_regions'), ('mlassist', '0005_audits_second_looks_imports'), ('mlassist', '0006_promises'), ('mlassist', '0007_meaning_of_labels'), ('mlassist', '0008_interrupted_runs')]

    initial = True

    dependencies = [
        ('labeling', '0001_squashed_0024_answers_by_origin'),
    ]

    operations = [
        migrations.CreateModel(
            name='BackboneOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='what Project.backbone holds', max_length=80, unique=True)),
                ('title', models.CharField(max_length=200)),
                ('licence', models.TextField(blank=True)),
                ('megabytes', models.FloatField(null=True)),
                ('side', models.PositiveIntegerField(help_text='pixels of the square it looks at', null=True)),
                ('dimension', models.PositiveIntegerField(null=True)),
                ('images_per_second', models.FloatField(help_text='measured here, on all cores', null=True)),
                ('device', models.CharField(blank=True, max_length=40)),
                ('problem', models.TextField(blank=True, help_text='why it cannot be used, in a sentence for people')),
                ('signature', models.CharField(blank=True, help_text='of the weights that were measured', max_length=80)),
                ('surveyed_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
        migrations.CreateModel(
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='model_versions', to='labeling.project')),
                ('number', models.PositiveIntegerField()),
                ('backbone', models.CharField(max_length=80)),
                ('head', models.CharField(help_text='storage name of the head', max_length=200)),
                ('classes', models.JSONField(default=list, help_text='ids of the classes it can tell apart')),
                ('metrics', models.JSONField(default=dict)),
                ('labels', models.PositiveIntegerField(help_text='how many answers it was trained on')),
                ('revision', models.BigIntegerField(default=0, help_text='newest annotation that it was trained on')),
                ('withdrawn', models.BigIntegerField(default=0, help_text='how many human answers were withdrawn by then')),
                ('embedded', models.BigIntegerField(default=0, help_text='how many items had an embedding then')),
                ('meaning', models.PositiveIntegerField(default=0, help_text='Project.meaning when its labels were read')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'number'), name='model_version_once')],
                'indexes': [],
            },
        ),
        migrations.CreateModel(
            name='TunedBackbone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tuned_backbones', to='labeling.project')),
                ('name', models.CharField(help_text='what Project.backbone holds', max_length=80, unique=True)),
                ('base', models.CharField(max_length=80)),
                ('learned_from', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), help_text='items that it must not be judged on', size=None)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
        migrations.CreateModel(
            name='WithheldClass',
            fields=[
                ('label_class', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='labeling.labelclass')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='withheld_classes', to='labeling.project')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
        migrations.CreateModel(
            name='Certificate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='certificates', to='labeling.project')),
                ('model_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='certificates', to='mlassist.modelversion')),
                ('attempt', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('valid', 'Valid'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn'), ('superseded', 'Superseded')], max_length=10)),
                ('promise', models.CharField(choices=[('each', 'Of the labels that the model gives'), ('whole', 'Of all labels in the data set')], default='each', max_length=8)),
                ('target_error', models.FloatField()),
                ('confidence', models.FloatField()),
                ('alpha', models.FloatField(help_text='error budget that this attempt spent')),
                ('threshold', models.FloatField(null=True)),
                ('n', models.PositiveIntegerField(default=0, help_text='blind labels in the accepted region')),
                ('errors', models.PositiveIntegerField(default=0)),
                ('bound', models.FloatField(help_text='upper confidence bound of the error: of the region, or of the whole set', null=True)),
                ('allowed_error', models.FloatField(help_text='of its own labels; audits hold it to that', null=True)),
                ('coverage', models.FloatField(default=0, help_text='share of the pool in the accepted region')),
                ('n_validation', models.PositiveIntegerField(help_text='blind labels in all')),
                ('sentence', models.TextField()),
                ('evidence', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True, help_text='why it was withdrawn or no longer used')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'attempt'), name='certificate_attempt_once'), models.UniqueConstraint(condition=models.Q(('state', 'valid')), fields=('project',), name='certificate_one_valid'), models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('project',), name='certificate_one_open'), models.CheckConstraint(condition=models.Q(('state__in', ('refused', 'open')), models.Q(('allowed_error__isnull', False), ('bound__lte', models.F('target_error')), ('threshold__isnull', False)), _connector='OR'), name='certificate_holds_target'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'withdrawn'), _negated=True), ('withdrawn_at__isnull', False), _connector='OR'), name='certificate_withdrawn_has_time')],
                'indexes': [],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='labeling.project')),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='labeling.job')),
                ('kind', models.CharField(choices=[('training', 'Training'), ('validation', 'Validation'), ('inference', 'Inference'), ('featurization', 'Featurization'), ('fine_tuning', 'Fine-tuning')], max_length=13)),
                ('backbone', models.CharField(blank=True, help_text='whose embeddings a featurization makes', max_length=80)),
                ('state', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('interrupted', 'Interrupted')], default='running', max_length=11)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('log', models.TextField(blank=True)),
                ('metrics', models.JSONField(default=dict)),
                ('model_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='mlassist.modelversion')),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['project', '-id'], name='run_history')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'featurization'), ('state', 'running')), fields=('project', 'backbone'), name='run_one_featurization'), models.UniqueConstraint(condition=models.Q(('kind', 'fine_tuning'), ('state', 'running')), fields=('project',), name='run_one_fine_tuning'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('state', 'running')), models.Q(models.Q(('state', 'running'), _negated=True), ('finished_at__isnull', False)), _connector='OR'), name='run_finished_has_time')],
            },
        ),
        migrations.CreateModel(
            name='Audit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('certificate', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audits', to='mlassist.certificate')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.item')),
                ('label', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.annotation')),
                ('probability', models.FloatField(help_text='of having been drawn with its draw', null=True)),
                ('answer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='labeling.annotation')),
                ('loss', models.FloatField(help_text='0 right, 1 wrong; empty until that is settled', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('loss', None)), fields=['certificate'], include=('item',), name='audit_unsettled')],
                'constraints': [models.UniqueConstraint(fields=('certificate', 'item'), name='audit_once'), models.CheckConstraint(condition=models.Q(('loss', None), models.Q(('loss__gte', 0), ('loss__lte', 1)), _connector='OR'), name='audit_loss_range')],
            },
        ),
        migrations.CreateModel(
            name='ImportCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('certificate', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='imports', to='mlassist.certificate')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.datasource')),
                ('state', models.CharField(choices=[('alike', 'Alike'), ('different', 'Different'), ('proved', 'Proved'), ('failed', 'Failed')], max_length=9)),
                ('images', models.PositiveIntegerField(help_text='of the import, and of those compared along with it')),
                ('score_distance', models.FloatField(help_text='Kolmogorov-Smirnov distance of the scores', null=True)),
                ('score_p', models.FloatField(null=True)),
                ('nearness_distance', models.FloatField(help_text='of the distances to the nearest training image', null=True)),
                ('nearness_p', models.FloatField(null=True)),
                ('why', models.CharField(blank=True, help_text='in plain words', max_length=200)),
                ('blind', models.PositiveIntegerField(default=0, help_text='own blind labels where the model is sure')),
                ('errors', models.PositiveIntegerField(default=0)),
                ('needed', models.PositiveIntegerField(default=0, help_text='blind labels in all, as far as it can be told')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('certificate', 'source'), name='import_check_once'), models.CheckConstraint(condition=models.Q(('errors__lte', models.F('blind'))), name='import_check_errors')],
                'indexes': [],
            },
        ),
        migrations.CreateModel(
            name='RegionDraw',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('certificate', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='draws', to='mlassist.certificate')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.item')),
                ('score', models.FloatField()),
                ('answer', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), help_text='ids of the classes that the model said', size=None)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('certificate', 'item'), name='region_draw_once')],
                'indexes': [],
            },
        ),
        migrations.CreateModel(
            name='SecondLook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('certificate', models.ForeignKey(help_text='whose proof or audit the answer belongs to; empty for answers from the whole pool', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='second_looks', to='mlassist.certificate')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.item')),
                ('first', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.annotation')),
                ('agreed', models.BooleanField(help_text="whether the first answer was the model's, too")),
                ('probability', models.FloatField(help_text='of being asked about: less than one for those that agreed')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
        migrations.RunSQL(CERTIFIED.FORWARD, CERTIFIED.BACKWARD),
    ]
