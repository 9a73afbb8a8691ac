-- grain: one row per bundle: what was screened, when and where
--
-- columns:
--   bundle_digest     digest of the bundle that answered
--   objects           objects found
--   scored            of them, scored
--   persons           persons, as far as their pseudonym is known
--   without_person    objects without a pseudonym
--   first_radiograph  earliest StudyDate (AcquisitionDate where there is none) of a scored radiograph
--   last_radiograph   latest
--   undated           scored radiographs without a date
--   first_night       first night of screening
--   last_night        last night of screening
--   sites             institutions that sent scored radiographs
--   vendors           manufacturers of their equipment
--   calibrated        some score was calibrated to a probability

create view report_scope as
select
    bundle_digest,
    count(*) as objects,
    count(*) filter (outcome = 'scored') as scored,
    count(distinct patient_pseudonym) as persons,
    count(*) filter (patient_pseudonym is null) as without_person,
    min(coalesce(StudyDate, AcquisitionDate)) filter (outcome = 'scored') as first_radiograph,
    max(coalesce(StudyDate, AcquisitionDate)) filter (outcome = 'scored') as last_radiograph,
    count(*) filter (outcome = 'scored' and coalesce(StudyDate, AcquisitionDate) is null) as undated,
    min(screen_date) as first_night,
    max(screen_date) as last_night,
    count(distinct InstitutionName) filter (outcome = 'scored') as sites,
    count(distinct Manufacturer) filter (outcome = 'scored') as vendors,
    bool_or(coalesce(pneumonia_probability, covid_probability) is not null) as calibrated
from instance_rows
group by bundle_digest
order by last_night desc, objects desc, bundle_digest;
