-- grain: one row per bundle, unit of analysis, subgroup and threshold of stage 3, at the stage-2 point of the bundle
-- example: select threshold, sensitivity, specificity, called_share from thresholds where as_run or sensitivity >= 0.9 order by threshold desc limit 5
-- needs: variables of the view threshold_units; prevalence (a share; unset is that of the verified units of the row's subgroup),
-- cost_screen and cost_test (unset: no costs), screened_per_day (unset: units of this bundle a night)
--
-- A unit is positive at or above the threshold, which lies midway between two neighbouring scores, so that rounding does not flip a unit.
-- A positive unit gets an RT-PCR test. tp + fn are the positives and fp + tn the negatives among scored units with a definite reference
-- standard; indeterminate and unverified ones count in `called` alone.
--
-- Of more than 10,000 different scores of a subgroup those are kept that take sensitivity or specificity over a thousandth, or the number
-- called up by half a percent; besides the first, the last and the one of the run. Their counts are exact.
--
-- columns:
--   bundle_digest         digest of the bundle that answered
--   unit                  unit of analysis: instance, study or patient
--   subgroup              value of threshold_by; all without subgroups
--   threshold             of covid_probability (covid_score, where the bundle has no calibration), in [0, 1]
--   as_run                these are the calls of the cascade as it was run
--   tp                    true positives
--   fp                    false positives
--   fn                    false negatives: missed cases
--   tn                    true negatives
--   sensitivity           tp / (tp + fn), in [0, 1]; null where n is 0
--   sensitivity_low       lower limit of the 95 % Wilson interval
--   sensitivity_high      upper limit
--   specificity           tn / (tn + fp), in [0, 1]; null where n is 0
--   specificity_low       lower limit of the 95 % Wilson interval
--   specificity_high      upper limit
--   called                scored units that are positive, whatever the reference standard says or does not say: RT-PCR tests needed
--   screened              scored units
--   called_share          called / screened, in [0, 1]
--   called_share_low      lower limit of the 95 % Wilson interval
--   called_share_high     upper limit
--   tests_per_day         called_share at screened_per_day: RT-PCR tests a day
--   prevalence            share of cases that the columns below are for, in [0, 1]
--   ppv                   positive predictive value at that prevalence (Bayes), in [0, 1]
--   ppv_low               lower limit of its 95 % logit interval (Mercaldo 2007)
--   ppv_high              upper limit
--   npv                   negative predictive value at that prevalence (Bayes), in [0, 1]
--   npv_low               lower limit of its 95 % logit interval (Mercaldo 2007)
--   npv_high              upper limit
--   screened_per_case     people to screen to find one case, at that prevalence
--   screened_per_case_low  lower limit of its 95 % interval, from Wilson's of sensitivity
--   screened_per_case_high  upper limit
--   tests_per_case        RT-PCR tests to find one case, at that prevalence
--   tests_per_case_low    lower limit of its 95 % interval, from that of PPV
--   tests_per_case_high   upper limit
--   missed_per_100000     cases missed among 100,000 people screened, at that prevalence
--   cost_per_case         cost of screening and of RT-PCR tests for each case found, at that prevalence, in the unit of the costs given
--   cost_per_case_low     lower limit of its 95 % interval, by the delta method on its logarithm
--   cost_per_case_high    upper limit

create view thresholds as
with units as materialized (
    -- of each bundle and subgroup one number: shorter to sort by
    select hash(bundle_digest, subgroup) as series, *
    from threshold_units
    where scored and needs_reference('thresholds')
),
-- of each subgroup its own, because a site may have been judged at an operating point of its own
run_points as (
    select series, min(covid_value) as run_value
    from units
    where called
    group by series
),
nights as (
    select bundle_digest, count(distinct screen_date) as nights
    from instance_rows
    group by bundle_digest
),
groups as (
    select
        series,
        any_value(bundle_digest) as bundle_digest,
        any_value(unit) as unit,
        any_value(subgroup) as subgroup,
        count(*) as screened,
        count(*) filter (truth = 'positive') as positives,
        count(*) filter (truth = 'negative') as negatives
    from units
    group by series
),
totals as materialized (
    select
        groups.*,
        run_value,
        coalesce(getvariable('prevalence')::double, positives / nullif(positives + negatives, 0)) as prevalence,
        -- a subgroup has its share of a day's units
        coalesce(getvariable('screened_per_day')::double * screened / sum(screened) over (partition by groups.bundle_digest), screened / nullif(nights, 0))
            as screened_per_day
    from groups
    inner join nights on groups.bundle_digest = nights.bundle_digest
    left join run_points on groups.series = run_points.series
),
by_value as (
    select
        series,
        covid_value,
        count(*) filter (truth = 'positive') as tp,
        count(*) filter (truth = 'negative') as fp,
        count(*) as called
    from units
    where covid_value is not null
    group by series, covid_value
),
cumulated as (
    select
        series,
        covid_value::double as covid_value,
        lead(covid_value) over at_or_above::double as next_lower,
        (sum(tp) over at_or_above)::bigint as tp,
        (sum(fp) over at_or_above)::bigint as fp,
        (sum(called) over at_or_above)::bigint as called,
        count(*) over (partition by series) > 10000 as many
    from by_value
    window at_or_above as (partition by series order by covid_value desc rows unbounded preceding)
),
-- of the scores of one step the highest, at which the counts are lowest
stepped as (
    select
        cumulated.series,
        coalesce(covid_value >= run_value and (next_lower is null or next_lower < run_value), false) as as_run,
        max(covid_value) as covid_value,
        max(next_lower) as next_lower,
        min(tp) as tp,
        min(fp) as fp,
        min(called) as called
    from cumulated
    inner join totals on cumulated.series = totals.series
    group by
        cumulated.series,
        as_run,
        next_lower is null,
        if(many, null, covid_value),
        if(many, 1000 * tp // positives, null),
        if(many, 1000 * (negatives - fp) // negatives, null),
        if(many, floor(200 * ln(called)), null)
),
counted as (
    select
        stepped.*,
        bundle_digest,
        unit,
        subgroup,
        coalesce((covid_value + next_lower) / 2, if(covid_value > 0, covid_value / 2, covid_value)) as threshold,
        positives - tp as fn,
        negatives - fp as tn,
        tp / nullif(positives, 0) as sensitivity,
        wilson_low(tp, positives) as sensitivity_low,
        wilson_high(tp, positives) as sensitivity_high,
        (negatives - fp) / nullif(negatives, 0) as specificity,
        wilson_low(negatives - fp, negatives) as specificity_low,
        wilson_high(negatives - fp, negatives) as specificity_high,
        screened,
        screened_per_day,
        prevalence
    from stepped
    inner join totals on stepped.series = totals.series
)
select
    bundle_digest,
    unit,
    subgroup,
    threshold,
    as_run,
    tp,
    fp,
    fn,
    tn,
    sensitivity,
    sensitivity_low,
    sensitivity_high,
    specificity,
    specificity_low,
    specificity_high,
    called,
    screened,
    called / screened as called_share,
    wilson_low(called, screened) as called_share_low,
    wilson_high(called, screened) as called_share_high,
    screened_per_day * called / screened as tests_per_day,
    prevalence,
    unnest(yield_at(sensitivity, sensitivity_low, sensitivity_high, specificity, tp, fn, fp, tn, prevalence)),
    unnest(costs_at(sensitivity, specificity, tp, fn, fp, tn, prevalence))
from counted
order by bundle_digest, subgroup, threshold desc;
