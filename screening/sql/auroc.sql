-- grain: one row per bundle, unit of analysis and question: area under the ROC curve
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
with at_score as (
    select
        bundle_digest, unit, question, score,
        count(*) filter (truth = 'positive') as positive,
        count(*) filter (truth = 'negative') as negative
    from judgements
    where truth in ('positive', 'negative') and score is not null
    group by all
    union all
    -- without a reference table: see lead_time
    select
        no_reference('auroc')::varchar as bundle_digest,
        no_reference('auroc')::varchar as unit,
        no_reference('auroc')::varchar as question,
        no_reference('auroc')::double as score,
        no_reference('auroc')::bigint as positive,
        no_reference('auroc')::bigint as negative
    where not needs_reference('auroc')
),
ordered as (
    select
        *,
        sum(negative) over upwards - negative / 2 as negatives_below,
        sum(positive) over upwards - positive / 2 as positives_below,
        sum(positive) over whole as positives,
        sum(negative) over whole as negatives
    from at_score
    window
        whole as (partition by bundle_digest, unit, question),
        upwards as (partition by bundle_digest, unit, question order by score)
),
-- placement of a positive among the negatives, and of a negative among the positives
placements as (
    select
        *,
        negatives_below / nullif(negatives, 0) as positive_placement,
        1 - positives_below / nullif(positives, 0) as negative_placement
    from ordered
),
summed as (
    select
        bundle_digest, unit, question,
        any_value(positives)::bigint as positives,
        any_value(negatives)::bigint as negatives,
        sum(positive * positive_placement) / any_value(positives) as auroc,
        sum(positive * positive_placement ** 2) as positive_squares,
        sum(negative * negative_placement ** 2) as negative_squares
    from placements
    group by all
),
varied as (
    select
        *,
        if(
            positives > 1 and negatives > 1,
            greatest(0, positive_squares - positives * auroc ** 2) / ((positives - 1) * positives)
            + greatest(0, negative_squares - negatives * auroc ** 2) / ((negatives - 1) * negatives),
            null
        ) as auroc_variance
    from summed
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
