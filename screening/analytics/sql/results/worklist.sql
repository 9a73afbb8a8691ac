-- grain: one row per positive radiograph that counts: what is to be looked at, and how urgently
-- example: select * from worklist limit 20
--
-- columns:
--   bundle_digest      digest of the bundle that answered
--   screen_date        the night
--   object_id          key of the instance row
--   SOPInstanceUID     as in the DICOM header
--   patient_pseudonym  its person
--   pixel_hash         of the image: equal for the same image sent twice
--   InstitutionName    the site
--   PatientSex         M, F or O
--   age_years          age in years
--   StudyDate          day of the radiograph
--   covid_positive     the answer of the cascade
--   pneumonia_value    stage 2: probability, or score where the bundle has no calibration
--   covid_value        stage 3: likewise; null where not reached
--   urgency            place in its night and bundle: positives of stage 3 by covid_value, then those of stage 2 by pneumonia_value

create view worklist as
select
    bundle_digest,
    screen_date,
    object_id,
    SOPInstanceUID,
    patient_pseudonym,
    pixel_hash,
    InstitutionName,
    PatientSex,
    age_years,
    StudyDate,
    covid_positive,
    coalesce(pneumonia_probability, pneumonia_score)::double as pneumonia_value,
    coalesce(covid_probability, covid_score)::double as covid_value,
    row_number() over (
        partition by bundle_digest, screen_date
        order by covid_positive desc, if(covid_positive, covid_value, pneumonia_value) desc, object_id
    ) as urgency
from instances
where counts and pneumonia_positive;
