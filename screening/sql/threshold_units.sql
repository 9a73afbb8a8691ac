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
        case coalesce(getvariable('threshold_by'), 'all')
            when 'all' then 'all'
            when 'sex' then coalesce(instances.PatientSex, 'unknown')
            when 'age_band' then age_band(instances.age_years)
            when 'site' then coalesce(instances.InstitutionName, 'unknown')
            when 'view' then coalesce(instances.ViewPosition, 'unknown')
            when 'vendor' then coalesce(instances.Manufacturer, 'unknown')
        end as subgroup,
        instances.covid_positive,
        instances.outcome = 'scored' as scored,
        -- results made elsewhere may have no answer of stage 2
        if(coalesce(instances.pneumonia_positive, true), coalesce(instances.covid_probability, instances.covid_score), null) as covid_value,
        reference_verdicts.rt_pcr
    from instances
    left join reference_verdicts
        on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id
    where instances.counts
),
judged as (
    select
        bundle_digest,
        unit_id,
        if(min(subgroup) = max(subgroup), min(subgroup), 'several') as subgroup,
        case
            when bool_or(rt_pcr = 'positive') then 'positive'
            when bool_or(rt_pcr = 'negative') then 'negative'
            when bool_or(rt_pcr = 'indeterminate') then 'indeterminate'
        end as truth,
        bool_or(scored) filter (rt_pcr in ('positive', 'negative')) as scored_verified,
        bool_or(scored) filter (rt_pcr = 'indeterminate') as scored_indeterminate,
        bool_or(scored) as scored,
        bool_or(covid_positive) filter (rt_pcr in ('positive', 'negative')) as called_verified,
        bool_or(covid_positive) filter (rt_pcr = 'indeterminate') as called_indeterminate,
        bool_or(covid_positive) as called,
        max(covid_value) filter (rt_pcr in ('positive', 'negative')) as value_verified,
        max(covid_value) filter (rt_pcr = 'indeterminate') as value_indeterminate,
        max(covid_value) as covid_value
    from images
    group by bundle_digest, unit_id
)
select
    bundle_digest,
    coalesce(getvariable('threshold_unit'), 'patient') as unit,
    unit_id,
    subgroup,
    truth,
    case truth when 'indeterminate' then scored_indeterminate when 'positive' then scored_verified when 'negative' then scored_verified
        else scored end as scored,
    coalesce(
        case truth when 'indeterminate' then called_indeterminate when 'positive' then called_verified when 'negative' then called_verified
            else called end,
        false
    ) as called,
    case truth when 'indeterminate' then value_indeterminate when 'positive' then value_verified when 'negative' then value_verified
        else covid_value end as covid_value
from judged;
