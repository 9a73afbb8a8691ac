-- grain: one row per pair of an instance row and a test of the same person that the link rule lets count
-- example: select test_date - radiograph_date as days, count(*) as pairs from links group by days order by days
-- needs: the view tests; variables window_before_days, window_after_days, link_undated
--
-- A test of a file of cases counts for radiographs of that file alone. Where a date is unknown it counts for the radiograph of its own row,
-- because the row says so, and for others only where link_undated says so.
--
-- columns:
--   bundle_digest       digest of the bundle that answered
--   object_id           key of the instance row
--   patient_pseudonym   the person
--   outcome             of the instance row: scored, rejected or failed
--   pneumonia_positive  answer of stage 2
--   covid_positive      answer of the cascade
--   radiograph_date     StudyDate, or AcquisitionDate where there is none
--   test_date           specimen_date, or result_date where there is none
--   result_date         day on which the result was reported
--   symptom_onset_date  first day of symptoms
--   result              of the RT-PCR test, as the link rule takes it: positive, negative or indeterminate
--   reading             of the radiograph by a radiologist: normal, pneumonia or covid
--   undated             linked although a date is unknown

create view links as
select
    radiographs.bundle_digest,
    radiographs.object_id,
    radiographs.patient_pseudonym,
    radiographs.outcome,
    radiographs.pneumonia_positive,
    radiographs.covid_positive,
    radiographs.radiograph_date,
    tests.test_date,
    tests.result_date,
    tests.symptom_onset_date,
    tests.result,
    tests.reading,
    (radiographs.radiograph_date is null or tests.test_date is null) as undated
from tested_radiographs as radiographs
inner join tests
    on radiographs.patient_pseudonym = tests.patient_pseudonym
where
    (tests.bundle_digest is null or tests.bundle_digest = radiographs.bundle_digest)
    and (
        tests.test_date between radiographs.radiograph_date - getvariable('window_before_days')
        and radiographs.radiograph_date + getvariable('window_after_days')
        or (
            (getvariable('link_undated') or coalesce(tests.object_id = radiographs.object_id, false))
            and (radiographs.radiograph_date is null or tests.test_date is null)
        )
    );
