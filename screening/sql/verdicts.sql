-- grain: one row per object and bundle: the answer of the cascade beside what the reference standard says of it
--
-- columns:
--   bundle_digest       digest of the bundle that answered
--   object_id           key of the instance row
--   StudyInstanceUID    its study
--   patient_pseudonym   its person
--   outcome             scored, rejected or failed
--   reason              why it was rejected or failed
--   counts              false for a second copy of the same image
--   stage_reached       the last stage that finished
--   audit_sample        negative in stage 2, yet sent to stage 3
--   pneumonia_positive  answer of stage 2; null where the image was not scored
--   covid_positive      answer of the cascade; null where the image was not scored
--   rt_pcr              positive, negative or indeterminate by the link rule; null where unverified
--   reading             positive (pneumonia or covid) or negative (normal) by the radiologist; null where none was made
--   undated             every linked test was linked although a date is unknown

create view verdicts as
select
    instances.bundle_digest,
    instances.object_id,
    instances.StudyInstanceUID,
    instances.patient_pseudonym,
    instances.outcome,
    instances.reason,
    instances.counts,
    instances.stage_reached,
    instances.audit_sample,
    instances.pneumonia_positive,
    instances.covid_positive,
    reference_verdicts.rt_pcr,
    reference_verdicts.reading,
    coalesce(reference_verdicts.undated, false) as undated
from instances
left join reference_verdicts
    on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id;
