-- grain: one row per bundle and unit of analysis: the highest stage-3 score that a threshold can be put at, beside what RT-PCR says
-- example: select truth, called, count(*) as units from threshold_units group by all order by all
-- needs: variables threshold_unit (instance, study or patient; unset is patient) and
-- threshold_by (sex, age_band, site, view or vendor; unset is no subgroups)
--
-- A unit is placed as in the view accuracy: a verified one is judged by the radiographs whose reference standard is its own, and second copies
-- do not count.
-- Stage 3 judges what is positive in stage 2. A radiograph of the audit sample has a stage-3 score too, but is negative at the stage-2 point
-- of the bundle whatever stage 3 says, so that its score is none of the unit's here; the view threshold_pairs uses it.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   unit           unit of analysis: instance, study or patient
--   unit_id        object_id, StudyInstanceUID or patient_pseudonym
--   subgroup       value of threshold_by; unknown where missing, several where the unit's radiographs differ; all without subgroups
--   truth          positive, negative or indeterminate by the link rule; null where unverified
--   scored         a radiograph was scored (one with the unit's reference standard, where it has one)
--   called         positive by the cascade as it was run
--   covid_value    highest stage-3 probability (score, where the bundle has no calibration) of the stage-2 positives, in [0, 1]; null: none

create view threshold_units as
-- what is kept of each unit are numbers, and subgroups are told apart by one made of their name: texts beside a group stay in memory
with images as (
    select
        hash(instance_rows.bundle_digest) as bundle_number,
        threshold_unit_id(StudyInstanceUID, patient_pseudonym, instance_rows.object_id) as unit_id,
        threshold_subgroup(PatientSex, age_years, InstitutionName, ViewPosition, Manufacturer) as subgroup,
        if(subgroup is null, null, hash(subgroup)) as subgroup_number,
        -- called 2, scored 1, not scored 0
        case when covid_positive then 2 when outcome = 'scored' then 1 else 0 end::utinyint as answered,
        threshold_value(pneumonia_positive, coalesce(covid_probability, covid_score)) as covid_value
    from instance_rows
    anti join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
),
units as (
    select
        bundle_number,
        unit_id,
        min(subgroup_number) as subgroup_number,
        max(subgroup_number) as other_number,
        max(answered) as answered,
        max(covid_value) as covid_value
    from images
    group by bundle_number, unit_id
),
subgroups as (
    select unnest(names) as subgroup, hash(subgroup) as subgroup_number
    from (
        select list(distinct threshold_subgroup(PatientSex, age_years, InstitutionName, ViewPosition, Manufacturer)) as names
        from instance_rows
    )
),
-- the same of the units that the reference standard speaks of, from the radiographs whose result is that of the unit
linked as (
    select
        hash(radiographs.bundle_digest, threshold_unit_id(StudyInstanceUID, patient_pseudonym, radiographs.object_id)) as unit_number,
        max(truth_rank(rt_pcr)) as truth_of,
        max(10 * truth_rank(rt_pcr) + case when covid_positive then 2 when outcome = 'scored' then 1 else 0 end) % 10 as answered,
        if(
            truth_of = 1,
            max(threshold_value(pneumonia_positive, covid_value)),
            highest_of_truth(threshold_value(pneumonia_positive, covid_value), truth_rank(rt_pcr))
        ) as covid_value
    from tested_radiographs as radiographs
    inner join reference_verdicts
        on radiographs.bundle_digest = reference_verdicts.bundle_digest and radiographs.object_id = reference_verdicts.object_id
    anti join duplicates
        on radiographs.bundle_digest = duplicates.bundle_digest and radiographs.object_id = duplicates.object_id
    group by unit_number
)
select
    bundle_digest,
    coalesce(getvariable('threshold_unit'), 'patient') as unit,
    unit_id,
    case when units.subgroup_number is null then 'all' when units.subgroup_number < other_number then 'several' else subgroup end as subgroup,
    ranked_truth(truth_of) as truth,
    coalesce(linked.answered, units.answered) >= 1 as scored,
    coalesce(linked.answered, units.answered) = 2 as called,
    if(linked.unit_number is null, units.covid_value, linked.covid_value::float) as covid_value
from units
inner join bundles
    on bundle_number = hash(bundle_digest)
left join subgroups
    on units.subgroup_number = subgroups.subgroup_number
left join linked
    on hash(bundle_digest, units.unit_id) = linked.unit_number;
