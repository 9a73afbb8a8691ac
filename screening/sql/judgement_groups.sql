-- grain: one row per judgement and subgroup that its unit belongs to
-- needs: the table group_values, further subgroups by radiograph
--
-- columns:
--   bundle_digest      digest of the bundle that answered
--   unit               unit of analysis: instance, study or patient
--   question           covid, pneumonia, gate or stage_3: see judgements
--   subgroup           all, age, sex, view, site, vendor, days since onset, or a column that was asked for
--   subgroup_value     the unit's own; unknown where it is
--   unit_id            the unit
--   patient_pseudonym  its person
--   truth              positive, negative or indeterminate by the reference standard; null where unverified
--   called             positive by the answer; null where no radiograph was scored
--   score              orders the units for the ROC curve
--   value              probability, or score where the bundle has no calibration
--   cell               tp, fp, fn, tn, indeterminate, unverified or not_scored
--   undated            every link rests on an unknown date

create view judgement_groups as
-- the row of all units needs no subgroups: it is asked for most, and then they are not worked out
with judged as materialized (
    select * from judgements
),
grouped as (
    select *, 'all' as subgroup, 'all' as subgroup_value from judgements
    union all
    select *, 'age', age_band(age_years) from judged
    union all
    select *, 'sex', PatientSex from judged
    union all
    select *, 'view', ViewPosition from judged
    union all
    select *, 'site', InstitutionName from judged
    union all
    select *, 'vendor', Manufacturer from judged
    union all
    select *, 'days since onset', onset_band(days_since_onset) from judged
    union all
    select judged.*, group_values.subgroup, group_values.subgroup_value
    from judged
    inner join group_values
        on judged.bundle_digest = group_values.bundle_digest and judged.object_id = group_values.object_id
)
select
    bundle_digest,
    unit,
    question,
    subgroup,
    coalesce(subgroup_value, 'unknown') as subgroup_value,
    unit_id,
    patient_pseudonym,
    truth,
    called,
    score,
    value,
    cell,
    undated
from grouped;
