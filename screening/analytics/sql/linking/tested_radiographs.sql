-- grain: one row per instance row of a person whom the reference table has: what of it the reference standard is held against
-- example: select outcome, count(*) as radiographs from tested_radiographs group by outcome order by outcome
--
-- Few of a population are tested: with a reference table this is worked out once, and all that is said of accuracy rests on it.
--
-- columns:
--   bundle_digest       digest of the bundle that answered
--   object_id           key of the instance row
--   StudyInstanceUID    its study
--   patient_pseudonym   its person
--   outcome             scored, rejected or failed
--   pneumonia_positive  answer of stage 2; null where the image was not scored
--   covid_positive      answer of the cascade; null where the image was not scored
--   audit_sample        negative in stage 2, yet sent to stage 3
--   screen_date         the night of the run
--   radiograph_date     StudyDate, or AcquisitionDate where there is none
--   pneumonia_value     pneumonia_probability, or pneumonia_score where the bundle has no calibration
--   covid_value         covid_probability, or covid_score where the bundle has no calibration; null where stage 3 was not reached
--   pneumonia_rank      orders the radiographs by stage 2: its logit, or its score where there is no logit
--   covid_rank          orders the radiographs by stage 3 in the same way
--   PatientSex          M, F or O
--   age_years           age in years
--   ViewPosition        PA, AP or another view
--   InstitutionName     the site
--   Manufacturer        of the X-ray machine

create view tested_radiographs as
select
    bundle_digest,
    object_id,
    StudyInstanceUID,
    patient_pseudonym,
    outcome,
    pneumonia_positive,
    covid_positive,
    audit_sample,
    screen_date,
    coalesce(StudyDate, AcquisitionDate) as radiograph_date,
    coalesce(pneumonia_probability, pneumonia_score)::double as pneumonia_value,
    coalesce(covid_probability, covid_score)::double as covid_value,
    coalesce(pneumonia_logit, pneumonia_score)::double as pneumonia_rank,
    coalesce(covid_logit, covid_score)::double as covid_rank,
    PatientSex,
    age_years,
    ViewPosition,
    InstitutionName,
    Manufacturer
from instance_rows
semi join reference
    on instance_rows.patient_pseudonym = reference.patient_pseudonym;
