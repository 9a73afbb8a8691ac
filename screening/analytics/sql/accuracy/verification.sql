-- grain: one row per bundle, unit of analysis and question: whether the called were tested more often than the others, and what that did
-- example: select called_verified / called as tested, sensitivity_corrected from verification where unit = 'patient' and question = 'covid'
--
-- Begg and Greenes (Biometrics 1983;39:207): among the called, and among the others, those with a verdict of the reference standard stand for
-- those without. That holds where who was tested depended on the answer, or on what the answer was made of, and on nothing else that has to
-- do with the disease. The intervals are of the logits, by the delta method (Zhou, Obuchowski and McClish 2011, section 10.2). Indeterminate
-- units count as not verified. Units and questions: see judgements.
--
-- columns:
--   bundle_digest               digest of the bundle that answered
--   unit                        unit of analysis: instance, study or patient
--   question                    covid, pneumonia, gate or stage_3
--   called                      scored units with a positive answer
--   called_verified             of these, positive or negative by the reference standard
--   not_called                  scored units with a negative answer
--   not_called_verified         of these, positive or negative by the reference standard
--   verified_difference         share verified of the called less that of the others, in [-1, 1]; null where there are none of either
--   verified_difference_low     lower limit of its 95 % interval by Newcombe's method 10 for two samples (Newcombe 1998)
--   verified_difference_high    upper limit
--   unequal                     the interval leaves out 0: who was tested went with the answer
--   sensitivity_corrected       in [0, 1]; null where nobody among the called, or among the others, was verified
--   sensitivity_corrected_low   lower limit of its 95 % interval; null where one of the four cells that it rests on is empty
--   sensitivity_corrected_high  upper limit
--   specificity_corrected       in [0, 1]; null as above
--   specificity_corrected_low   lower limit of its 95 % interval; null as above
--   specificity_corrected_high  upper limit

create view verification as
with units as (
    select bundle_digest, unit, question, cell, called, count(*) as units
    from judgements
    group by bundle_digest, unit, question, cell, called
    union all
    select bundle_digest, unit, question, cell, called, units
    from unlinked_judgements
),
counted as (
    select
        bundle_digest,
        unit,
        question,
        coalesce(sum(units) filter (called), 0)::bigint as called,
        coalesce(sum(units) filter (not called), 0)::bigint as not_called,
        coalesce(sum(units) filter (cell = 'tp'), 0)::bigint as tp,
        coalesce(sum(units) filter (cell = 'fp'), 0)::bigint as fp,
        coalesce(sum(units) filter (cell = 'fn'), 0)::bigint as fn,
        coalesce(sum(units) filter (cell = 'tn'), 0)::bigint as tn
    from units
    where cell <> 'not_scored'
    group by bundle_digest, unit, question
),
shares as (
    select
        *,
        tp + fp as called_verified,
        fn + tn as not_called_verified,
        tp / nullif(tp + fp, 0) as ill_called,
        fn / nullif(fn + tn, 0) as ill_not_called,
        called_verified / nullif(called, 0) as first,
        not_called_verified / nullif(not_called, 0) as second,
        1 / (called + not_called) * ((called + not_called) / called) * ((called + not_called) / not_called) as variance_of_calls
    from counted
),
corrected as (
    select
        *,
        called * ill_called / nullif(called * ill_called + not_called * ill_not_called, 0) as sensitivity_corrected,
        not_called * (1 - ill_not_called) / nullif(not_called * (1 - ill_not_called) + called * (1 - ill_called), 0) as specificity_corrected,
        if(tp > 0 and fn > 0, variance_of_calls + fp / (tp * called_verified) + tn / (fn * not_called_verified), null) as sensitivity_variance,
        if(fp > 0 and tn > 0, variance_of_calls + tp / (fp * called_verified) + fn / (tn * not_called_verified), null) as specificity_variance,
        first - sqrt_sum(first - wilson_low(called_verified, called), wilson_high(not_called_verified, not_called) - second)
        - second as verified_difference_low,
        first + sqrt_sum(wilson_high(called_verified, called) - first, second - wilson_low(not_called_verified, not_called))
        - second as verified_difference_high
    from shares
)
select
    bundle_digest,
    unit,
    question,
    called,
    called_verified,
    not_called,
    not_called_verified,
    first - second as verified_difference,
    verified_difference_low,
    verified_difference_high,
    coalesce(verified_difference_low > 0 or verified_difference_high < 0, false) as unequal,
    sensitivity_corrected,
    moved_logit(sensitivity_corrected, sensitivity_variance, -1) as sensitivity_corrected_low,
    moved_logit(sensitivity_corrected, sensitivity_variance, 1) as sensitivity_corrected_high,
    specificity_corrected,
    moved_logit(specificity_corrected, specificity_variance, -1) as specificity_corrected_low,
    moved_logit(specificity_corrected, specificity_variance, 1) as specificity_corrected_high
from corrected
order by bundle_digest, unit, question;
