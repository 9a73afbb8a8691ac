-- grain: one row per bundle, unit of analysis, question and unit: what was answered, what is true, and the cell of the 2×2 table
--
-- unit: instance (one radiograph), study (StudyInstanceUID) or patient (patient_pseudonym). A unit is positive when any of its verified
-- radiographs is, and so is its reference standard. Second copies do not count. Units are linked by the view link_rule.
-- question:
--   covid      the whole cascade against RT-PCR
--   pneumonia  stage 2 against the radiologist's reading; only where the reference table has readings
--   gate       stage 2 against RT-PCR, over the radiographs that it judged: what may be lost before stage 3
--   stage_3    stage 3 against RT-PCR, over the radiographs that stage 2 let pass
--
-- columns:
--   bundle_digest      digest of the bundle that answered
--   unit               unit of analysis: instance, study or patient
--   question           covid, pneumonia, gate or stage_3
--   unit_id            object_id, StudyInstanceUID or patient_pseudonym; object_id where the unit's own is unknown
--   patient_pseudonym  its person
--   object_id          its first radiograph
--   truth              positive, negative or indeterminate by the reference standard; null where unverified
--   called             positive by the answer, over the radiographs that the reference standard speaks of; null where none was scored
--   score              orders the units for the ROC curve, highest of the radiographs; covid: those stopped by stage 2 lie below all others
--   value              the highest probability, or score where the bundle has no calibration; null for the covid question where stage 3 was not reached
--   cell               tp, fp, fn, tn, indeterminate, unverified or not_scored
--   undated            every link rests on an unknown date
--   radiograph_date    of the first radiograph
--   days_since_onset   from the first day of symptoms to the first radiograph for which it is known, in days
--   PatientSex         of the first radiograph for which it is known, as are the columns below
--   age_years          age in years
--   ViewPosition       PA, AP or another view
--   InstitutionName    the site
--   Manufacturer       of the X-ray machine

create view judgements as
with counting as materialized (
    select * from verdicts where counts and needs_reference('accuracy')
),
asked as (
    select
        'covid' as question,
        covid_positive as called,
        if(pneumonia_positive is false, pneumonia_rank - 1000000, covid_rank) as score,
        covid_value as value,
        rt_pcr as truth,
        counting.*
    from counting
    union all
    select 'pneumonia', pneumonia_positive, pneumonia_rank, pneumonia_value, reading, *
    from counting
    where exists (select 1 from reference where reading is not null)
    union all
    select 'gate', pneumonia_positive, pneumonia_rank, pneumonia_value, rt_pcr, *
    from counting
    where pneumonia_positive is not null
    union all
    select 'stage_3', covid_positive, covid_rank, covid_value, rt_pcr, *
    from counting
    where pneumonia_positive
),
of_units as (
    select *, 'study' as unit, coalesce(StudyInstanceUID, object_id) as unit_id
    from asked
    union all
    select *, 'patient', coalesce(patient_pseudonym, object_id)
    from asked
),
judged as (
    select
        bundle_digest,
        unit,
        question,
        unit_id,
        any_value(patient_pseudonym) as patient_pseudonym,
        arg_min(object_id, coalesce(radiograph_date, date '9999-12-31')) as object_id,
        case
            when bool_or(truth = 'positive') then 'positive'
            when bool_or(truth = 'negative') then 'negative'
            when bool_or(truth = 'indeterminate') then 'indeterminate'
        end as truth,
        case
            when bool_or(truth in ('positive', 'negative')) then bool_or(called) filter (truth in ('positive', 'negative'))
            when bool_or(truth = 'indeterminate') then bool_or(called) filter (truth = 'indeterminate')
            else bool_or(called)
        end as called,
        case
            when bool_or(truth in ('positive', 'negative')) then max(score) filter (truth in ('positive', 'negative'))
            else max(score)
        end as score,
        case
            when bool_or(truth in ('positive', 'negative')) then max(value) filter (truth in ('positive', 'negative'))
            else max(value)
        end as value,
        bool_and(undated) filter (truth is not null) as undated,
        min(radiograph_date) as radiograph_date,
        arg_min(days_since_onset, radiograph_date) as days_since_onset,
        arg_min(PatientSex, coalesce(radiograph_date, date '9999-12-31')) as PatientSex,
        arg_min(age_years, coalesce(radiograph_date, date '9999-12-31')) as age_years,
        arg_min(ViewPosition, coalesce(radiograph_date, date '9999-12-31')) as ViewPosition,
        arg_min(InstitutionName, coalesce(radiograph_date, date '9999-12-31')) as InstitutionName,
        arg_min(Manufacturer, coalesce(radiograph_date, date '9999-12-31')) as Manufacturer
    from of_units
    group by bundle_digest, unit, question, unit_id
    union all by name
    select
        bundle_digest,
        'instance' as unit,
        question,
        object_id as unit_id,
        patient_pseudonym,
        object_id,
        truth,
        called,
        score,
        value,
        undated,
        radiograph_date,
        days_since_onset,
        PatientSex,
        age_years,
        ViewPosition,
        InstitutionName,
        Manufacturer
    from asked
)
select
    * replace (coalesce(undated, false) as undated),
    case
        when called is null then 'not_scored'
        when truth is null then 'unverified'
        when truth = 'indeterminate' then 'indeterminate'
        else if(called, if(truth = 'positive', 'tp', 'fp'), if(truth = 'positive', 'fn', 'tn'))
    end as cell
from judged;
