-- grain: one row per RT-PCR test: a row of the reference table that is used, as it is read
-- example: select result, count(*) as tests, count(distinct patient_pseudonym) as persons from reference group by result order by result
--
-- Over files of cases with labels it has the tests that they speak of: see case_tests.sql.
--
-- columns:
--   bundle_digest  the file of cases that the test belongs to; null where it counts for every bundle
--   object_id      the row of cases that gives it; null for a row of a reference table

create view reference as
select
    patient_pseudonym,
    symptom_onset_date,
    specimen_date,
    result_date,
    result,
    reading,
    null::varchar as bundle_digest,
    null::varchar as object_id
from reference_read
where left_out is null;
