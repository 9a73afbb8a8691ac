-- grain: one row per bundle and unit of analysis: the highest stage-3 score that a threshold can be put at, beside what RT-PCR says
-- needs: variables threshold_unit (instance, study or patient; unset is patient) and
-- threshold_by (sex, age_band, site, view or vendor; unset is no subgroups)
--
-- A unit is placed as in the view accuracy: a verified one is judged by its verified radiographs alone, and second copies do not count.
-- Stage 3 judges what is positive in stage 2. A radiograph of the audit sample has a stage-3 score too, but is negative at the stage-2 point
-- of the bundle whatever stage 3 says, so that its score is none of the unit's here; the view threshold_pairs uses it.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   unit           unit of analysis: instance, study or patient
--   unit_id        object_id, StudyInstanceUID or patient_pseudonym
--   subgroup       value of threshold_by; unknown where missing, several where the unit's radiographs differ; all without subgroups
--   truth          positive, negative or indeterminate by the link rule; null where unverified
--   scored         a radiograph was scored (a verified one, where the reference standard speaks of the unit)
--   called         positive by the cascade as it was run
--   covid_value    highest stage-3 probability (score, where the bundle has no calibration) of the stage-2 positives, in [0, 1]; null: none

create view threshold_units as
with images as (
    select
        instances.bundle_digest,
        coalesce(
            case coalesce(getvariable('threshold_unit'), 'patient')
                when 'study' then instances.StudyInstanceUID
                when 'patient' then instances.patient_pseudonym
            end,
            instances.object_id
        ) as unit_id,
        case getvariable('threshold_by')
            when 'sex' then coalesce(instances.PatientSex, 'unknown')
            when 'age_band' then age_band(instances.age_years)
            when 'site' then coalesce(instances.InstitutionName, 'unknown')
            when 'view' then coalesce(instances.ViewPosition, 'unknown')
            when 'vendor' then coalesce(instances.Manufacturer, 'unknown')
        end as subgroup,
        -- what RT-PCR says: definite 2, indeterminate 1, nothing 0; and the answer: called 2, scored 1, not scored 0
        case when rt_pcr in ('positive', 'negative') then 2 when rt_pcr = 'indeterminate' then 1 else 0 end::utinyint as said,
        case when instances.covid_positive then 2 when instances.outcome = 'scored' then 1 else 0 end::utinyint as answered,
        rt_pcr = 'positive' as is_case,
        -- results made elsewhere may have no answer of stage 2
        if(coalesce(instances.pneumonia_positive, true), coalesce(instances.covid_probability, instances.covid_score), null) as covid_value
    from instances
    left join reference_verdicts
        on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id
    where instances.counts
),
-- the best answer among the radiographs of which the most is said is the unit's: one number holds both, and is quick to compare
judged as (
    select
        bundle_digest,
        unit_id,
        if(min(subgroup) = max(subgroup), min(subgroup), if(count(subgroup) = 0, 'all', 'several')) as subgroup,
        max(10 * said + answered) as place,
        bool_or(is_case) as is_case,
        max(covid_value) filter (said = 2) as value_verified,
        max(covid_value) filter (said = 1) as value_indeterminate,
        max(covid_value) as covid_value
    from images
    group by bundle_digest, unit_id
)
select
    bundle_digest,
    coalesce(getvariable('threshold_unit'), 'patient') as unit,
    unit_id,
    subgroup,
    case place // 10 when 2 then if(is_case, 'positive', 'negative') when 1 then 'indeterminate' end as truth,
    place % 10 >= 1 as scored,
    place % 10 = 2 as called,
    case place // 10 when 2 then value_verified when 1 then value_indeterminate else covid_value end as covid_value
from judged;
