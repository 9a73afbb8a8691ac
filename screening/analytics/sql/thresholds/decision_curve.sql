-- grain: one row per bundle, unit of analysis and threshold probability from 0.01 to 0.99: the net benefit of testing whom the cascade calls
-- example: select threshold_probability, net_benefit, net_benefit_all from decision_curve where unit = 'patient' order by threshold_probability
-- needs: variable prevalence (a share; unset is that of the verified units)
--
-- Net benefit (Vickers and Elkin 2006): true positives less false positives, as shares of those screened, where one false positive counts
-- p / (1 - p) true positives. The threshold probability p says how many RT-PCR tests one is willing to make for one case: 1 / p. At another
-- prevalence than that of the data the shares are those that sensitivity and specificity give there. Units: verified ones, question covid.
-- By score, a unit is positive at or above p; that is a fair use of the score only where it is calibrated. A score reaches p within 0.000001.
--
-- columns:
--   bundle_digest          digest of the bundle that answered
--   unit                   unit of analysis: instance, study or patient
--   threshold_probability  p, in (0, 1)
--   prevalence             share of cases, in [0, 1]
--   positives              verified units that are positive by RT-PCR
--   negatives              verified units that are negative by RT-PCR
--   net_benefit            of the calls as they were made
--   net_benefit_by_score   of calling at or above p; null where a score is no share in [0, 1]
--   net_benefit_all        of testing everybody; testing nobody has 0
--   avoided_per_100        tests that the calls spare per 100 screened, against testing everybody, at no more missed cases than they are worth
--   calibrated             scores were calibrated by the bundle

create view decision_curve as
with units as materialized (
    select
        bundle_digest,
        unit,
        cell,
        if(value between 0 and 1, floor(100 * value + 0.0001)::int, if(value is null, 0, null)) as reached,
        count(*) as units
    from judgements
    where question = 'covid' and cell in ('tp', 'fp', 'fn', 'tn')
    group by bundle_digest, unit, cell, reached
),
totals as (
    select
        bundle_digest,
        unit,
        sum(units) filter (cell in ('tp', 'fn')) as positives,
        sum(units) filter (cell in ('fp', 'tn')) as negatives,
        coalesce(sum(units) filter (cell = 'tp'), 0) as tp,
        coalesce(sum(units) filter (cell = 'fp'), 0) as fp,
        bool_and(reached is not null) as shares
    from units
    group by bundle_digest, unit
),
by_score as (
    select
        units.bundle_digest,
        units.unit,
        percent::int as percent,
        coalesce(sum(units) filter (reached >= percent and cell in ('tp', 'fn')), 0) as tp,
        coalesce(sum(units) filter (reached >= percent and cell in ('fp', 'tn')), 0) as fp
    from units
    cross join range(1, 100) as percents (percent)
    group by units.bundle_digest, units.unit, percent
),
calibrations as (
    select bundle_digest, bool_or(covid_probability is not null) as calibrated
    from instance_rows
    group by bundle_digest
),
shared as (
    select
        totals.*,
        percent / 100 as threshold_probability,
        threshold_probability / (1 - threshold_probability) as odds,
        coalesce(getvariable('prevalence')::double, positives / (positives + negatives)) as prevalence,
        by_score.tp as tp_by_score,
        by_score.fp as fp_by_score,
        calibrated
    from totals
    inner join by_score
        on totals.bundle_digest = by_score.bundle_digest and totals.unit = by_score.unit
    inner join calibrations
        on totals.bundle_digest = calibrations.bundle_digest
    where positives > 0 and negatives > 0
)
select
    bundle_digest,
    unit,
    threshold_probability,
    prevalence,
    positives::bigint as positives,
    negatives::bigint as negatives,
    prevalence * tp / positives - (1 - prevalence) * odds * fp / negatives as net_benefit,
    if(shares, prevalence * tp_by_score / positives - (1 - prevalence) * odds * fp_by_score / negatives, null) as net_benefit_by_score,
    prevalence - (1 - prevalence) * odds as net_benefit_all,
    100 * (net_benefit - net_benefit_all) / odds as avoided_per_100,
    calibrated
from shared
order by bundle_digest, unit, threshold_probability;
