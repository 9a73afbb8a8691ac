-- grain: one row per RT-PCR test that is used, as the link rule takes it
-- example: select result, count(*) as tests, count(*) filter (test_date is null) as undated from tests group by result order by result
-- needs: the table reference; variable link_indeterminate
--
-- columns:
--   bundle_digest       the file of cases that the test belongs to; null where it counts for every bundle
--   object_id           the row of cases that gives the test; null where a reference table does
--   patient_pseudonym   the person
--   test_date           specimen_date, or result_date where there is none
--   result_date         day on which the result was reported
--   symptom_onset_date  first day of symptoms
--   result              positive, negative or indeterminate
--   reading             of the radiograph by a radiologist: normal, pneumonia or covid

create view tests as
select
    bundle_digest,
    object_id,
    patient_pseudonym,
    coalesce(specimen_date, result_date) as test_date,
    result_date,
    symptom_onset_date,
    if(result = 'indeterminate' and getvariable('link_indeterminate') <> 'apart', getvariable('link_indeterminate'), result) as result,
    reading
from reference;
