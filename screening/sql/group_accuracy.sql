-- grain: one row per bundle, unit of analysis, question, subgroup and its value: the 2×2 table and its figures
--
-- Units, questions and cells: see judgements. Nothing is held back here: the view subgroups does that where few units could be people.
-- tp + fp + fn + tn + indeterminate + unverified + not_scored = units: a rejected or failed image is not a negative one.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   unit                 unit of analysis: instance, study or patient
--   question             covid, pneumonia, gate or stage_3
--   subgroup             all, age, sex, view, site, vendor, days since onset, or a column that was asked for
--   subgroup_value       one of its values
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
--   lr_positive          likelihood ratio of a positive answer, sensitivity / (1 - specificity); null where tp, fp or a margin is 0
--   lr_positive_low      lower limit of its 95 % interval by the log method (Simel 1991)
--   lr_positive_high     upper limit
--   lr_negative          likelihood ratio of a negative answer, (1 - sensitivity) / specificity; null where fn, tn or a margin is 0
--   lr_negative_low      lower limit of its 95 % interval by the log method
--   lr_negative_high     upper limit

create view group_accuracy as
with counted as (
    select
        bundle_digest,
        unit,
        question,
        subgroup,
        subgroup_value,
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
    from judgement_groups
    group by bundle_digest, unit, question, subgroup, subgroup_value
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
    wilson_high(tn, tn + fn) as npv_high,
    likelihood_ratio(tp, tp + fn, fp, fp + tn) as lr_positive,
    likelihood_ratio(tp, tp + fn, fp, fp + tn) * exp(-likelihood_ratio_spread(tp, tp + fn, fp, fp + tn)) as lr_positive_low,
    likelihood_ratio(tp, tp + fn, fp, fp + tn) * exp(likelihood_ratio_spread(tp, tp + fn, fp, fp + tn)) as lr_positive_high,
    likelihood_ratio(fn, tp + fn, tn, fp + tn) as lr_negative,
    likelihood_ratio(fn, tp + fn, tn, fp + tn) * exp(-likelihood_ratio_spread(fn, tp + fn, tn, fp + tn)) as lr_negative_low,
    likelihood_ratio(fn, tp + fn, tn, fp + tn) * exp(likelihood_ratio_spread(fn, tp + fn, tn, fp + tn)) as lr_negative_high
from counted;
