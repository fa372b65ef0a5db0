from django.db import migrations

# What is saved or waits says `disagree`, which is `disagreement` now. Of both, the rarer one stays.
RENAME = r"""
UPDATE labeling_savedfilter
SET query = ltrim(regexp_replace(
    CASE WHEN query ~ '(^|&)disagree=' THEN regexp_replace(query, '(^|&)disagreement=[^&]*', '') ELSE query END,
    '(^|&)disagree=', '\1disagreement='), '&')
WHERE query ~ '(^|&)disagree=';
UPDATE labeling_job
SET payload = jsonb_set(payload #- '{filter,disagree}', '{filter,disagreement}',
    CASE WHEN payload #>> '{filter,disagree}' <> '' THEN payload #> '{filter,disagree}'
    ELSE coalesce(payload #> '{filter,disagreement}', '""') END)
WHERE payload #> '{filter,disagree}' IS NOT NULL;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0021_people_are_told'),
    ]

    operations = [migrations.RunSQL(RENAME, migrations.RunSQL.noop)]
