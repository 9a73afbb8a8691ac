-- grain: one row per bundle, unit of analysis and question
--
-- unit: instance (one radiograph), study (StudyInstanceUID) or patient (patient_pseudonym). A unit is positive when any of its verified
-- radiographs is, and so is its reference standard. Second copies do not count. Units are linked by the view link_rule.
-- question: pneumonia (stage 2 against the radiologist's reading; only where the reference table has readings) or
-- covid (the whole cascade against RT-PCR).
-- tp + fp + fn + tn + indeterminate + unverified + not_scored = units: a rejected or failed image is not a negative one.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   unit                 unit of analysis: instance, study or patient
--   question             pneumonia or covid
--   units                how many there are
--   tp                   true positives
--   fp                   false positives
--   fn                   false negatives
--   tn                   true negatives
--   indeterminate        scored, and the reference standard is indeterminate
--   unverified           scored, and nothing is known from the reference standard
--   not_scored           no radiograph scored (none that the reference standard speaks of, where it does speak)
--   not_scored_positive  of these, positive by the reference standard
--   undated              verified units that rest on links with an unknown date alone
--   sensitivity_k        true positives
--   sensitivity_n        positives by the reference standard
--   sensitivity          share, in [0, 1]; null where n is 0
--   sensitivity_low      lower limit of the 95 % Wilson interval
--   sensitivity_high     upper limit
--   specificity_k        true negatives
--   specificity_n        negatives by the reference standard
--   specificity          share, in [0, 1]; null where n is 0
--   specificity_low      lower limit of the 95 % Wilson interval
--   specificity_high     upper limit
--   ppv_k                true positives
--   ppv_n                positives by the cascade
--   ppv                  positive predictive value in these data, in [0, 1]; null where n is 0
--   ppv_low              lower limit of the 95 % Wilson interval
--   ppv_high             upper limit
--   npv_k                true negatives
--   npv_n                negatives by the cascade
--   npv                  negative predictive value in these data, in [0, 1]; null where n is 0
--   npv_low              lower limit of the 95 % Wilson interval
--   npv_high             upper limit

create view accuracy as
with counting as materialized (
    select * from verdicts where counts and needs_reference('accuracy')
),
asked as (
    select *, 'covid' as question, covid_positive as called, rt_pcr as truth
    from counting
    union all
    select *, 'pneumonia', pneumonia_positive, reading
    from counting
    where exists (select 1 from reference where reading is not null)
),
of_units as (
    select *, 'instance' as unit, object_id as unit_id
    from asked
    union all
    select *, 'study', coalesce(StudyInstanceUID, object_id)
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
        case
            when bool_or(truth = 'positive') then 'positive'
            when bool_or(truth = 'negative') then 'negative'
            when bool_or(truth = 'indeterminate') then 'indeterminate'
        end as truth,
        bool_or(called) filter (truth in ('positive', 'negative')) as called_verified,
        bool_or(called) filter (truth = 'indeterminate') as called_indeterminate,
        bool_or(called) as called,
        bool_and(undated) filter (truth is not null) as undated
    from of_units
    group by bundle_digest, unit, unit_id, question
),
placed as (
    select
        *,
        case
            when truth in ('positive', 'negative') and called_verified is not null
                then if(called_verified, if(truth = 'positive', 'tp', 'fp'), if(truth = 'positive', 'fn', 'tn'))
            when truth = 'indeterminate' and called_indeterminate is not null then 'indeterminate'
            when truth is null and called is not null then 'unverified'
            else 'not_scored'
        end as cell
    from judged
),
counted as (
    select
        bundle_digest,
        unit,
        question,
        count(*) as units,
        count(*) filter (cell = 'tp') as tp,
        count(*) filter (cell = 'fp') as fp,
        count(*) filter (cell = 'fn') as fn,
        count(*) filter (cell = 'tn') as tn,
        count(*) filter (cell = 'indeterminate') as indeterminate,
        count(*) filter (cell = 'unverified') as unverified,
        count(*) filter (cell = 'not_scored') as not_scored,
        count(*) filter (cell = 'not_scored' and truth = 'positive') as not_scored_positive,
        count(*) filter (cell in ('tp', 'fp', 'fn', 'tn') and undated) as undated
    from placed
    group by bundle_digest, unit, question
)
select
    *,
    tp as sensitivity_k,
    tp + fn as sensitivity_n,
    tp / nullif(tp + fn, 0) as sensitivity,
    wilson_low(tp, tp + fn) as sensitivity_low,
    wilson_high(tp, tp + fn) as sensitivity_high,
    tn as specificity_k,
    tn + fp as specificity_n,
    tn / nullif(tn + fp, 0) as specificity,
    wilson_low(tn, tn + fp) as specificity_low,
    wilson_high(tn, tn + fp) as specificity_high,
    tp as ppv_k,
    tp + fp as ppv_n,
    tp / nullif(tp + fp, 0) as ppv,
    wilson_low(tp, tp + fp) as ppv_low,
    wilson_high(tp, tp + fp) as ppv_high,
    tn as npv_k,
    tn + fn as npv_n,
    tn / nullif(tn + fn, 0) as npv,
    wilson_low(tn, tn + fn) as npv_low,
    wilson_high(tn, tn + fn) as npv_high
from counted
order by bundle_digest, question, case unit when 'instance' then 1 when 'study' then 2 else 3 end;
