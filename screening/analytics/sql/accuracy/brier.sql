-- grain: one row per bundle, unit of analysis and question: Brier score (Brier 1950)
-- example: select question, brier, brier_reference from brier where unit = 'patient'
--
-- columns:
--   bundle_digest    digest of the bundle that answered
--   unit             unit of analysis: instance, study or patient
--   question         covid (units that stage 3 judged), pneumonia, gate or stage_3
--   n                units with a definite reference standard and a value in [0, 1]
--   outside          units with a definite reference standard and a value outside [0, 1]: no probability
--   brier            mean square of value less truth (1 or 0), in [0, 1]: 0 is perfect
--   brier_reference  of always answering the share of positives: a useful value lies below it
--   predicted        mean value, in [0, 1]
--   observed         share of positives, in [0, 1]

create view brier as
with definite as (
    select bundle_digest, unit, question, value, (truth = 'positive')::int as positive, value between 0 and 1 as is_share
    from judgements
    where truth in ('positive', 'negative') and value is not null
    union all
    -- without a reference table: see lead_time
    select
        no_reference('brier')::varchar as bundle_digest,
        no_reference('brier')::varchar as unit,
        no_reference('brier')::varchar as question,
        no_reference('brier')::double as value,
        no_reference('brier')::int as positive,
        no_reference('brier')::boolean as is_share
    where not needs_reference('brier')
)
select
    bundle_digest,
    unit,
    question,
    count(*) filter (is_share) as n,
    count(*) filter (not is_share) as outside,
    avg((value - positive) ** 2) filter (is_share) as brier,
    avg(positive) filter (is_share) * (1 - avg(positive) filter (is_share)) as brier_reference,
    avg(value) filter (is_share) as predicted,
    avg(positive) filter (is_share) as observed
from definite
group by bundle_digest, unit, question
order by bundle_digest, question, unit;
