import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


FORWARD = """
-- An entry waits for whom its item is assigned to, whoever makes it and however often. What is asked blind is
-- for everybody, and so is what somebody has answered: nobody answers an image twice.
CREATE FUNCTION labeling_assign_new_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM labeling_assigneditem WHERE is_open) THEN
        RETURN NULL;
    END IF;
    -- The shared lock makes the end of an assignment wait for entries that are being made, and see them.
    PERFORM 1 FROM labeling_assignment s WHERE s.id IN (
        SELECT a.assignment_id FROM inserted n
        JOIN labeling_assigneditem a ON a.item_id = n.item_id AND a.is_open
    ) ORDER BY s.id FOR SHARE;
    UPDATE labeling_queueentry e SET assignment_id = a.assignment_id
    FROM inserted n
    JOIN labeling_assigneditem a ON a.item_id = n.item_id AND a.is_open
    WHERE e.item_id = n.item_id AND e.kind NOT IN ('validation', 'audit', 'gold')
    AND NOT EXISTS (SELECT 1 FROM labeling_annotation x
        WHERE x.item_id = e.item_id AND x.labeler_id IS NOT NULL AND x.withdrawn_at IS NULL);
    RETURN NULL;
END $$;

CREATE TRIGGER entry_made AFTER INSERT ON labeling_queueentry REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION labeling_assign_new_entries();

CREATE FUNCTION labeling_assign_turned_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.assignment_id := NULL;
    IF NEW.kind NOT IN ('validation', 'audit', 'gold') THEN
        SELECT s.id INTO NEW.assignment_id FROM labeling_assigneditem a
        JOIN labeling_assignment s ON s.id = a.assignment_id
        WHERE a.item_id = NEW.item_id AND a.is_open
        AND NOT EXISTS (SELECT 1 FROM labeling_annotation x
            WHERE x.item_id = NEW.item_id AND x.labeler_id IS NOT NULL AND x.withdrawn_at IS NULL)
        FOR SHARE OF s;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER entry_turned BEFORE UPDATE OF kind ON labeling_queueentry FOR EACH ROW
    WHEN ((OLD.kind IN ('validation', 'audit', 'gold')) <> (NEW.kind IN ('validation', 'audit', 'gold')))
    EXECUTE FUNCTION labeling_assign_turned_entry();
"""

BACKWARD = """
DROP TRIGGER entry_turned ON labeling_queueentry;
DROP FUNCTION labeling_assign_turned_entry();
DROP TRIGGER entry_made ON labeling_queueentry;
DROP FUNCTION labeling_assign_new_entries();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('labeling', '0017_reviewing'),
    ]

    operations = [
        migrations.CreateModel(
            name='AssignedItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_open', models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('by', models.CharField(choices=[('class', 'Class'), ('list', 'List'), ('name', 'Name'), ('share', 'Share')], help_text='how its items were chosen', max_length=5)),
                ('said', models.CharField(help_text='what was chosen, in words', max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ProjectTeam',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('manager', 'Manager'), ('reviewer', 'Reviewer'), ('labeler', 'Labeler')], max_length=8)),
                ('is_vendor', models.BooleanField(default=False, help_text='as the team, for the rule of one a project')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('is_vendor', models.BooleanField(default=False)),
                ('organisation', models.CharField(blank=True, help_text='the company, of a vendor', max_length=120)),
                ('contact', models.CharField(blank=True, help_text='whom to write or call there', max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='TeamMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_lead', models.BooleanField(default=False, help_text='invites people into the team, and lets them go')),
                ('joined_at', models.DateTimeField(auto_now_add=True)),
                ('left_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='queueentry',
            name='entry_next',
        ),
        migrations.RemoveIndex(
            model_name='queueentry',
            name='entry_next_in_group',
        ),
        migrations.AddField(
            model_name='invitation',
            name='account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='invitations', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='invitation',
            name='is_lead',
            field=models.BooleanField(default=False, help_text='of the team'),
        ),
        migrations.AddField(
            model_name='membership',
            name='daily_limit',
            field=models.PositiveIntegerField(help_text='most images a day', null=True),
        ),
        migrations.AddField(
            model_name='membership',
            name='deactivated_at',
            field=models.DateTimeField(help_text='when a manager let them rest', null=True),
        ),
        migrations.AddField(
            model_name='membership',
            name='is_active',
            field=models.BooleanField(default=True, help_text='whether the person can open the project now'),
        ),
        migrations.AddField(
            model_name='membership',
            name='only_assigned',
            field=models.BooleanField(default=False, help_text='gets only what is assigned, beside what is asked blind of everybody'),
        ),
        migrations.AddField(
            model_name='membership',
            name='total_limit',
            field=models.PositiveIntegerField(help_text='most images in all', null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='temporary_until',
            field=models.DateTimeField(help_text='its password is a temporary one: nothing opens before it is changed', null=True),
        ),
        migrations.AlterField(
            model_name='invitation',
            name='project',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='labeling.project'),
        ),
        migrations.AlterField(
            model_name='invitation',
            name='role',
            field=models.CharField(blank=True, choices=[('manager', 'Manager'), ('reviewer', 'Reviewer'), ('labeler', 'Labeler')], max_length=8),
        ),
        migrations.AddField(
            model_name='assigneditem',
            name='item',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='assigned', to='labeling.item'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='assignment',
            name='labeler',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='assignment',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='labeling.project'),
        ),
        migrations.AddField(
            model_name='assigneditem',
            name='assignment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='labeling.assignment'),
        ),
        migrations.AddField(
            model_name='queueentry',
            name='assignment',
            field=models.ForeignKey(db_index=False, help_text='for whom it waits; empty for everybody. The database sets it when an entry is made', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='entries', to='labeling.assignment'),
        ),
        migrations.AddIndex(
            model_name='queueentry',
            index=models.Index(condition=models.Q(('assignment', None), ('open_slots__gt', 0)), fields=['project', 'kind', 'priority', 'item'], name='entry_next_open'),
        ),
        migrations.AddIndex(
            model_name='queueentry',
            index=models.Index(condition=models.Q(('assignment', None), ('group__isnull', False), ('open_slots__gt', 0)), fields=['project', 'kind', 'group', 'priority', 'item'], name='entry_next_open_in_group'),
        ),
        migrations.AddIndex(
            model_name='queueentry',
            index=models.Index(condition=models.Q(('assignment__isnull', False), ('open_slots__gt', 0)), fields=['assignment', 'kind', 'priority', 'item'], name='entry_next_assigned'),
        ),
        migrations.AddIndex(
            model_name='queueentry',
            index=models.Index(condition=models.Q(('assignment__isnull', False), ('group__isnull', False), ('open_slots__gt', 0)), fields=['assignment', 'kind', 'group', 'priority', 'item'], name='entry_next_assigned_group'),
        ),
        migrations.AddConstraint(
            model_name='queueentry',
            constraint=models.CheckConstraint(condition=models.Q(('assignment', None), models.Q(('kind__in', ('validation', 'audit', 'gold')), _negated=True), _connector='OR'), name='entry_asked_blind_is_for_everybody'),
        ),
        migrations.AddField(
            model_name='projectteam',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='teams', to='labeling.project'),
        ),
        migrations.AddField(
            model_name='team',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='projectteam',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='projects', to='labeling.team'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='team',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='labeling.team'),
        ),
        migrations.AddField(
            model_name='invitation',
            name='team',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='labeling.team'),
        ),
        migrations.AddField(
            model_name='membership',
            name='team',
            field=models.ForeignKey(help_text='through which the person is here; empty for who is a member by themselves', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to='labeling.team'),
        ),
        migrations.AddField(
            model_name='user',
            name='vendor',
            field=models.ForeignKey(help_text='whose account it is: it opens only what that team was given', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='labeling.team'),
        ),
        migrations.AddConstraint(
            model_name='invitation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_lead', False), ('project__isnull', False), ('team', None), models.Q(('role', ''), _negated=True)), models.Q(('project', None), ('role', ''), ('team__isnull', False)), _connector='OR'), name='invitation_to_one'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.CheckConstraint(condition=models.Q(('deactivated_at', None), ('is_active', False), _connector='OR'), name='membership_deactivated_is_not_active'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.CheckConstraint(condition=models.Q(('team', None), models.Q(('role', 'manager'), _negated=True), _connector='OR'), name='membership_by_team_role'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('vendor', None), ('is_superuser', False), _connector='OR'), name='user_of_a_vendor_is_no_admin'),
        ),
        migrations.AddField(
            model_name='teammember',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='people', to='labeling.team'),
        ),
        migrations.AddField(
            model_name='teammember',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='teams', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='assigneditem',
            constraint=models.UniqueConstraint(condition=models.Q(('is_open', True)), fields=('item',), name='item_assigned_once'),
        ),
        migrations.AddConstraint(
            model_name='assigneditem',
            constraint=models.UniqueConstraint(fields=('assignment', 'item'), name='assigned_item_once'),
        ),
        migrations.AddConstraint(
            model_name='team',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('name'), name='team_name_once'),
        ),
        migrations.AddConstraint(
            model_name='team',
            constraint=models.CheckConstraint(condition=models.Q(('is_vendor', True), models.Q(('contact', ''), ('organisation', '')), _connector='OR'), name='team_company_is_a_vendors'),
        ),
        migrations.AddConstraint(
            model_name='projectteam',
            constraint=models.UniqueConstraint(fields=('project', 'team'), name='project_team_once'),
        ),
        migrations.AddConstraint(
            model_name='projectteam',
            constraint=models.UniqueConstraint(condition=models.Q(('is_vendor', True)), fields=('project',), name='project_vendor_once'),
        ),
        migrations.AddConstraint(
            model_name='projectteam',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ('labeler', 'reviewer'))), name='project_team_role'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('labeler', None), ('team__isnull', False)), models.Q(('labeler__isnull', False), ('team', None)), _connector='OR'), name='assignment_is_for_one'),
        ),
        migrations.AddConstraint(
            model_name='teammember',
            constraint=models.UniqueConstraint(fields=('team', 'user'), name='team_member_once'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
