"""Answers are counted by what they came from, as labels are, instead of by their source."""

from django.db import migrations, models

# The same expression as `review.of_origin`.
ORIGIN = "CASE WHEN suggestion_visible AND agreed THEN 'confirmed' ELSE 'person' END"
STANDS = "withdrawn_at IS NULL AND labeler_id IS NOT NULL AND NOT skipped"
COLUMNS = "(project_id, figure, key, part, at, count, amount, measured)"


def count_answers_by(part: str) -> str:
    """Return what counts answers in triggers, and anew."""
    return f"""
CREATE OR REPLACE FUNCTION labeling_tally_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO labeling_tally {COLUMNS}
        SELECT project_id, 'labeler', labeler_id::text, {part}, date_trunc('second', created_at), count(*),
            coalesce(sum(seconds), 0), count(seconds)
        FROM new_rows WHERE {STANDS} GROUP BY 1, 3, 4, 5;
        INSERT INTO labeling_tally (project_id, figure, key, count, amount, measured)
        SELECT project_id, 'sway', CASE WHEN suggestion_hidden THEN 'hidden' ELSE 'shown' END, count(*),
            sum(agreement), count(*)
        FROM new_rows WHERE withdrawn_at IS NULL AND NOT skipped AND agreement IS NOT NULL GROUP BY 1, 3;
    ELSE
        INSERT INTO labeling_tally {COLUMNS}
        SELECT project_id, 'labeler', labeler_id::text, {part}, date_trunc('second', created_at), sum(sign),
            coalesce(sum(sign * seconds), 0), coalesce(sum(sign) FILTER (WHERE seconds IS NOT NULL), 0)
        FROM (
            SELECT *, 1 AS sign FROM new_rows UNION ALL SELECT *, -1 FROM old_rows
        ) AS rows
        WHERE {STANDS} GROUP BY 1, 3, 4, 5 HAVING sum(sign) <> 0 OR sum(sign * seconds) <> 0;
        INSERT INTO labeling_tally (project_id, figure, key, count, amount, measured)
        SELECT project_id, 'sway', CASE WHEN suggestion_hidden THEN 'hidden' ELSE 'shown' END, sum(sign),
            sum(sign * agreement), sum(sign)
        FROM (
            SELECT *, 1 AS sign FROM new_rows UNION ALL SELECT *, -1 FROM old_rows
        ) AS rows
        WHERE withdrawn_at IS NULL AND NOT skipped AND agreement IS NOT NULL GROUP BY 1, 3
        HAVING sum(sign) <> 0;
    END IF;
    RETURN NULL;
END $$;

DELETE FROM labeling_tally WHERE figure = 'labeler';
INSERT INTO labeling_tally {COLUMNS}
    SELECT project_id, 'labeler', labeler_id::text, {part}, date_trunc('second', created_at), count(*),
        coalesce(sum(seconds), 0), count(seconds)
    FROM labeling_annotation WHERE {STANDS} GROUP BY 1, 3, 4, 5;
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0023_unread_items")]

    operations = [
        migrations.AlterField(
            model_name="tally",
            name="part",
            field=models.CharField(db_default="", default="", max_length=9),
        ),
        migrations.RunSQL(count_answers_by(ORIGIN), count_answers_by("source")),
    ]
