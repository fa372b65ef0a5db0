"""The tables as they are now, in one step for a new database; others took those that this replaces."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('clustering', '0001_embeddings_and_groups'), ('clustering', '0002_weights_of_a_set'), ('clustering', '0003_purity_of_a_group')]

    initial = True

    dependencies = [
        ('labeling', '0001_squashed_0024_answers_by_origin'),
    ]

    operations = [
        migrations.CreateModel(
            name='EmbeddingSet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='embedding_sets', to='labeling.project')),
                ('backbone', models.CharField(max_length=80)),
                ('weights', models.CharField(blank=True, help_text='fingerprint of the network that made the vectors', max_length=64)),
                ('graph', models.CharField(blank=True, help_text='storage name of the neighbour graph', max_length=200)),
                ('graph_count', models.BigIntegerField(default=0, help_text='how many vectors the graph spans')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'backbone'), name='embedding_set_once')],
                'indexes': [],
            },
        ),
        migrations.CreateModel(
            name='Group',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='groups', to='labeling.project')),
                ('proposed_class', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.labelclass')),
                ('size', models.PositiveSmallIntegerField()),
                ('similarity', models.FloatField(help_text="mean cosine to the group's seed")),
                ('purity', models.FloatField(help_text='share predicted to be of the class; none for copies of one picture', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
        migrations.CreateModel(
            name='Shard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('embedding_set', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shards', to='clustering.embeddingset')),
                ('name', models.CharField(help_text='in storage', max_length=200, unique=True)),
                ('items', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), help_text='ids of the items it holds, in file order', size=None)),
                ('unreadable', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, help_text='items that could not be embedded', size=None)),
                ('count', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'indexes': [],
                'constraints': [],
            },
        ),
    ]
