-- grain: one row per bundle, question and threshold of a score: the 2×2 table of persons had that threshold been used
--
-- Of more than 400 different scores of a question, evenly spaced ones are kept. For question covid the threshold is that of stage 3 while
-- stage 2 stays at its operating point; rows below it (threshold null) go on through the persons whom stage 2 held back, in its order.
--
-- columns:
--   bundle_digest     digest of the bundle that answered
--   question          covid, stage_3 or pneumonia
--   threshold         positive at or above this score; null beyond what a threshold of the last stage can reach
--   tp                true positives
--   fp                false positives
--   fn                false negatives
--   tn                true negatives
--   sensitivity       tp / (tp + fn), in [0, 1]; null where nobody is positive
--   sensitivity_low   lower limit of the 95 % Wilson interval
--   sensitivity_high  upper limit
--   specificity       tn / (tn + fp), in [0, 1]; null where nobody is negative
--   specificity_low   lower limit of the 95 % Wilson interval
--   specificity_high  upper limit

create view report_roc as
with by_score as (
    select
        bundle_digest,
        question,
        score,
        min(threshold) as threshold,
        count(*) filter (cell in ('tp', 'fn')) as positives,
        count(*) filter (cell in ('fp', 'tn')) as negatives
    from report_persons
    where cell in ('tp', 'fp', 'fn', 'tn') and score is not null
    group by bundle_digest, question, score
),
running as (
    select
        bundle_digest,
        question,
        threshold,
        score,
        (sum(positives) over called)::bigint as tp,
        (sum(negatives) over called)::bigint as fp,
        (sum(positives) over everybody)::bigint as positives,
        (sum(negatives) over everybody)::bigint as negatives,
        row_number() over called as place,
        count(*) over everybody as places,
        lead(threshold) over called is null and threshold is not null as last_of_stage
    from by_score
    window
        called as (partition by bundle_digest, question order by score desc rows unbounded preceding),
        everybody as (partition by bundle_digest, question)
),
cells as (
    select bundle_digest, question, threshold, score, tp, fp, positives - tp as fn, negatives - fp as tn
    from running
    where places <= 400 or place % (places // 400 + 1) = 0 or place = 1 or place = places or last_of_stage
)
select
    * exclude (score),
    tp / nullif(tp + fn, 0) as sensitivity,
    wilson_low(tp, tp + fn) as sensitivity_low,
    wilson_high(tp, tp + fn) as sensitivity_high,
    tn / nullif(tn + fp, 0) as specificity,
    wilson_low(tn, tn + fp) as specificity_low,
    wilson_high(tn, tn + fp) as specificity_high
from cells
order by bundle_digest, question, score desc;
