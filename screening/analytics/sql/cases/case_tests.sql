-- grain: one row per test that cases files speak of: rows that say the same of the same person are one test

create table case_tests as
select distinct
    case_id as patient_pseudonym,
    symptom_onset_date,
    specimen_date,
    result_date,
    result,
    reading
from case_rows
where result is not null;
