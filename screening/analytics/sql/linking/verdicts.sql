-- grain: one row per object and bundle: the answer of the cascade beside what the reference standard says of it
-- example: select rt_pcr, covid_positive, count(*) as radiographs from verdicts group by all order by all
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
--   radiograph_date     StudyDate, or AcquisitionDate where there is none
--   days_since_onset    from the first day of symptoms to the radiograph, in days; negative before it; null where a date is unknown
--   pneumonia_value     pneumonia_probability, or pneumonia_score where the bundle has no calibration
--   covid_value         covid_probability, or covid_score where the bundle has no calibration; null where stage 3 was not reached
--   pneumonia_rank      orders the radiographs by stage 2: its logit, or its score where there is no logit
--   covid_rank          orders the radiographs by stage 3 in the same way
--   PatientSex          M, F or O
--   age_years           age in years
--   ViewPosition        PA, AP or another view
--   InstitutionName     the site
--   Manufacturer        of the X-ray machine

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
    coalesce(reference_verdicts.undated, false) as undated,
    coalesce(instances.StudyDate, instances.AcquisitionDate) as radiograph_date,
    coalesce(instances.StudyDate, instances.AcquisitionDate) - reference_verdicts.symptom_onset_date as days_since_onset,
    coalesce(instances.pneumonia_probability, instances.pneumonia_score)::double as pneumonia_value,
    coalesce(instances.covid_probability, instances.covid_score)::double as covid_value,
    coalesce(instances.pneumonia_logit, instances.pneumonia_score)::double as pneumonia_rank,
    coalesce(instances.covid_logit, instances.covid_score)::double as covid_rank,
    instances.PatientSex,
    instances.age_years,
    instances.ViewPosition,
    instances.InstitutionName,
    instances.Manufacturer
from instances
left join reference_verdicts
    on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id;
