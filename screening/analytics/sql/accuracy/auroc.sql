-- grain: one row per bundle, unit of analysis and question: area under the ROC curve
-- example: select question, auroc, auroc_low, auroc_high from auroc where unit = 'patient'
--
-- How often a positive scores above a negative, ties counting half, with the 95 % interval by DeLong's variance (DeLong, DeLong and
-- Clarke-Pearson 1988), computed from the counts at each score as Sun and Xu (2014) do from midranks. Units with a definite reference
-- standard and a score. The interval takes the units as independent: for radiographs of the same people ask `screening accuracy` for that by bootstrap.
--
-- columns:
--   bundle_digest   digest of the bundle that answered
--   unit            unit of analysis: instance, study or patient
--   question        covid, pneumonia, gate or stage_3
--   positives       by the reference standard, with a score
--   negatives       by the reference standard, with a score
--   auroc           in [0, 1]; null without both
--   auroc_variance  DeLong's; null without two of both
--   auroc_low       lower limit of the 95 % interval
--   auroc_high      upper limit

create view auroc as
with definite as materialized (
    -- of each bundle, unit and question one number: shorter to sort by
    select hash(bundle_digest, unit, question) as series, bundle_digest, unit, question, truth = 'positive' as positive, score
    from judgements
    where truth in ('positive', 'negative') and score is not null
    union all
    -- without a reference table: see lead_time
    select
        no_reference('auroc')::ubigint as series,
        no_reference('auroc')::varchar as bundle_digest,
        no_reference('auroc')::varchar as unit,
        no_reference('auroc')::varchar as question,
        no_reference('auroc')::boolean as positive,
        no_reference('auroc')::double as score
    where not needs_reference('auroc')
),
totals as materialized (
    select
        series,
        any_value(bundle_digest) as bundle_digest,
        any_value(unit) as unit,
        any_value(question) as question,
        count(*) filter (positive) as positives,
        count(*) filter (not positive) as negatives
    from definite
    group by series
),
at_score as (
    select series, score, count(*) filter (positive) as positive, count(*) filter (not positive) as negative
    from definite
    group by series, score
),
ordered as (
    select
        series,
        positive,
        negative,
        sum(negative) over upwards - negative / 2 as negatives_below,
        sum(positive) over upwards - positive / 2 as positives_below
    from at_score
    window upwards as (partition by series order by score rows unbounded preceding)
),
-- placement of a positive among the negatives, and of a negative among the positives
placements as (
    select
        ordered.series,
        positive,
        negative,
        negatives_below / nullif(negatives, 0) as positive_placement,
        1 - positives_below / nullif(positives, 0) as negative_placement
    from ordered
    inner join totals on ordered.series = totals.series
),
summed as (
    select
        series,
        sum(positive * positive_placement) as positive_placements,
        sum(positive * positive_placement ** 2) as positive_squares,
        sum(negative * negative_placement ** 2) as negative_squares
    from placements
    group by series
),
varied as (
    select
        bundle_digest,
        unit,
        question,
        positives,
        negatives,
        positive_placements / positives as auroc,
        if(
            positives > 1 and negatives > 1,
            greatest(0, positive_squares - positives * auroc ** 2) / ((positives - 1) * positives)
            + greatest(0, negative_squares - negatives * auroc ** 2) / ((negatives - 1) * negatives),
            null
        ) as auroc_variance
    from summed
    inner join totals on summed.series = totals.series
)
select
    bundle_digest,
    unit,
    question,
    positives,
    negatives,
    if(positives > 0 and negatives > 0, auroc, null) as auroc,
    auroc_variance,
    greatest(0, auroc - 1.959963984540054 * sqrt(auroc_variance)) as auroc_low,
    least(1, auroc + 1.959963984540054 * sqrt(auroc_variance)) as auroc_high
from varied
order by bundle_digest, unit, question;
