from django.db import migrations

FORWARD = """
ALTER TABLE labeling_annotation ADD CONSTRAINT annotation_certificate
    FOREIGN KEY (certificate) REFERENCES mlassist_certificate (id) DEFERRABLE INITIALLY DEFERRED;

-- The shared lock makes a withdrawal wait for labels that are being written, and see them.
CREATE FUNCTION mlassist_require_valid_certificate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM mlassist_certificate
    WHERE id = NEW.certificate AND project_id = NEW.project_id AND state = 'valid' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'An auto label needs a valid certificate of its project; % is none.', NEW.certificate
            USING ERRCODE = 'check_violation', CONSTRAINT = 'annotation_auto_is_certified';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER annotation_auto_needs_valid_certificate
    BEFORE INSERT OR UPDATE OF source, certificate ON labeling_annotation
    FOR EACH ROW WHEN (NEW.source = 'auto') EXECUTE FUNCTION mlassist_require_valid_certificate();

CREATE INDEX annotation_by_certificate ON labeling_annotation (certificate) WHERE certificate IS NOT NULL;
"""

BACKWARD = """
DROP INDEX annotation_by_certificate;
DROP TRIGGER annotation_auto_needs_valid_certificate ON labeling_annotation;
DROP FUNCTION mlassist_require_valid_certificate();
ALTER TABLE labeling_annotation DROP CONSTRAINT annotation_certificate;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("mlassist", "0001_runs_models_certificates"),
        ("labeling", "0001_labeling_tables"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
