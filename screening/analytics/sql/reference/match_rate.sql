-- grain: one row: how many persons of the reference table have a radiograph in the results, and the other way round
-- example: select with_radiograph, without_radiograph, share from match_rate
-- A radiograph is any instance row, scored or not, of the bundles that are seen; whether a test counts for it is the link rule's matter.
--
-- columns:
--   reference_persons    persons of the reference table
--   with_radiograph      of these, persons with a radiograph
--   without_radiograph   of these, persons without one
--   share                with_radiograph of reference_persons, in [0, 1]; null where the table names nobody
--   radiograph_persons   persons with a radiograph; objects without a PatientID are of nobody
--   with_test            of these, persons whom the reference table has
--   without_test         of these, persons whom it does not have

create view match_rate as
select
    reference_persons,
    with_radiograph,
    reference_persons - with_radiograph as without_radiograph,
    with_radiograph / nullif(reference_persons, 0) as share,
    radiograph_persons,
    with_radiograph as with_test,
    radiograph_persons - with_radiograph as without_test
from
    (select count(distinct patient_pseudonym) as reference_persons from reference),
    (select count(distinct patient_pseudonym) as with_radiograph from tested_radiographs),
    (select count(distinct patient_pseudonym) as radiograph_persons from instance_rows);
