-- grain: one row per label and row of cases that it is given to: a row's own label, or that of the same person in another file
--
-- A label belongs to its file. A file without labels of any kind takes those of the file that has them, by person.

create table case_tests as
with labels as (
    from case_rows
    where result is not null
),
unlabelled as (
    select case_rows.*
    from case_rows
    anti join labels
        on case_rows.bundle_digest = labels.bundle_digest
)
select
    case_id as patient_pseudonym,
    symptom_onset_date,
    specimen_date,
    result_date,
    result,
    reading,
    bundle_digest,
    object_id
from labels
union all
select
    unlabelled.case_id,
    labels.symptom_onset_date,
    labels.specimen_date,
    labels.result_date,
    labels.result,
    labels.reading,
    unlabelled.bundle_digest,
    unlabelled.object_id
from unlabelled
inner join labels
    on unlabelled.case_id = labels.case_id;
