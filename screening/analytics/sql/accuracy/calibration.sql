-- grain: one row per bundle, unit of analysis, question and tenth of the probability: predicted beside observed
-- example: select bin_low, predicted, observed, low, high from calibration where unit = 'patient' and question = 'stage_3' order by bin_low
-- Units with a definite reference standard and a value in [0, 1], in ten equal steps; 1 belongs to the last. The bundle's probability is
-- taken where it has a calibration, else its score, which was never meant to be one.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   unit           unit of analysis: instance, study or patient
--   question       covid (units that stage 3 judged), pneumonia, gate or stage_3
--   bin_low        lower edge of the step, in [0, 1]
--   bin_high       upper edge
--   k              positives by the reference standard
--   n              units
--   predicted      mean value, in [0, 1]
--   observed       k / n, in [0, 1]
--   low            lower limit of its 95 % Wilson interval
--   high           upper limit

create view calibration as
with definite as (
    select bundle_digest, unit, question, value, truth, least(floor(value * 10), 9)::int as bin
    from judgements
    where truth in ('positive', 'negative') and value between 0 and 1
    union all
    -- without a reference table: see lead_time
    select
        no_reference('calibration')::varchar as bundle_digest,
        no_reference('calibration')::varchar as unit,
        no_reference('calibration')::varchar as question,
        no_reference('calibration')::double as value,
        no_reference('calibration')::varchar as truth,
        no_reference('calibration')::int as bin
    where not needs_reference('calibration')
),
counted as (
    select
        bundle_digest,
        unit,
        question,
        bin,
        count(*) filter (truth = 'positive') as k,
        count(*) as n,
        avg(value) as predicted
    from definite
    group by bundle_digest, unit, question, bin
)
select
    bundle_digest,
    unit,
    question,
    bin / 10 as bin_low,
    (bin + 1) / 10 as bin_high,
    k,
    n,
    predicted,
    k / n as observed,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high
from counted
order by bundle_digest, question, unit, bin;
