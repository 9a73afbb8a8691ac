-- grain: one row per person, day of study and finding: readings as a reference standard, in the columns of the reference table
-- example: select result, reading, count(*) as tests from reading_tests group by all order by all
--
-- A reading of covid stands where a positive test would, one of pneumonia or normal for a negative one, and an unreadable image is
-- indeterminate. Readers who differ give several rows, between which the link rule decides as between several tests. A reading without a
-- person has a row of its own, so that reference_reasons counts each of them as left out.
--
-- columns:
--   patient_pseudonym   the person
--   symptom_onset_date  unknown to a reader: null
--   specimen_date       day of the radiograph
--   result_date         null: there is no report of a laboratory
--   result              positive, negative or indeterminate
--   reading             normal, pneumonia or covid; null for an unreadable image

create view reading_tests as
select
    patient_pseudonym,
    null::date as symptom_onset_date,
    StudyDate as specimen_date,
    null::date as result_date,
    case finding when 'covid' then 'positive' when 'unreadable' then 'indeterminate' else 'negative' end as result,
    nullif(finding, 'unreadable') as reading
from latest_readings
group by patient_pseudonym, specimen_date, finding, if(patient_pseudonym is null, [reader, radiograph], null)
order by patient_pseudonym, specimen_date, result, reading;
