-- grain: one row per instance row that is linked with a test: what the reference standard says of it
-- example: select rt_pcr, count(*) as radiographs from reference_verdicts group by rt_pcr order by rt_pcr
--
-- columns:
--   bundle_digest       digest of the bundle that answered
--   object_id           key of the instance row
--   rt_pcr              positive, negative or indeterminate by the link rule
--   reading             positive (pneumonia or covid) or negative (normal) by the radiologist; null where none was made
--   undated             every linked test was linked although a date is unknown
--   symptom_onset_date  first day of symptoms

create view reference_verdicts as
select
    bundle_digest,
    object_id,
    case
        when getvariable('link_repeated') = 'nearest'
            then arg_min(result, 4 * coalesce(abs(test_date - radiograph_date), 1000000) - truth_rank(result))
        when getvariable('link_repeated') = 'agree' and bool_or(result = 'positive') and bool_or(result = 'negative') then 'indeterminate'
        when bool_or(result = 'positive') then 'positive'
        when bool_or(result = 'negative') then 'negative'
        else 'indeterminate'
    end as rt_pcr,
    case
        when bool_or(reading in ('pneumonia', 'covid')) then 'positive'
        when bool_or(reading = 'normal') then 'negative'
    end as reading,
    bool_and(undated) as undated,
    min(symptom_onset_date) as symptom_onset_date
from links
group by bundle_digest, object_id;
