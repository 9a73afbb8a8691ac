-- grain: one row per bundle and question: what the reference standard does not know, and how far it could move the answer
--
-- The limits of sensitivity and specificity assume the worst and the best: that every person without a verdict of the reference
-- standard, scored all the same, has the disease or has it not, whichever lowers or raises the figure most.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   question             covid, stage_3 or pneumonia
--   persons              how many there are
--   tp                   true positives
--   fp                   false positives
--   fn                   false negatives
--   tn                   true negatives
--   indeterminate        the reference standard is indeterminate
--   unverified           nothing is known from the reference standard
--   not_scored           no radiograph scored
--   unknown_called       indeterminate or unverified, and positive by the index test
--   unknown_not_called   indeterminate or unverified, and negative by the index test
--   sensitivity_lowest   had all unknown_not_called the disease and no unknown_called
--   sensitivity_highest  had all unknown_called the disease and no unknown_not_called
--   specificity_lowest   had no unknown_called the disease and all unknown_not_called
--   specificity_highest  had no unknown_not_called the disease and all unknown_called

create view report_verification as
with persons as (
    select bundle_digest, question, cell, called, count(*) as units
    from report_persons
    group by all
    union all
    select bundle_digest, question, cell, called, units
    from unlinked_judgements
    where unit = 'patient' and question in ('covid', 'stage_3', 'pneumonia')
),
counted as (
    select
        bundle_digest,
        question,
        sum(units)::bigint as persons,
        coalesce(sum(units) filter (cell = 'tp'), 0)::bigint as tp,
        coalesce(sum(units) filter (cell = 'fp'), 0)::bigint as fp,
        coalesce(sum(units) filter (cell = 'fn'), 0)::bigint as fn,
        coalesce(sum(units) filter (cell = 'tn'), 0)::bigint as tn,
        coalesce(sum(units) filter (cell = 'indeterminate'), 0)::bigint as indeterminate,
        coalesce(sum(units) filter (cell = 'unverified'), 0)::bigint as unverified,
        coalesce(sum(units) filter (cell = 'not_scored'), 0)::bigint as not_scored,
        coalesce(sum(units) filter (cell in ('indeterminate', 'unverified') and called), 0)::bigint as unknown_called,
        coalesce(sum(units) filter (cell in ('indeterminate', 'unverified') and not called), 0)::bigint as unknown_not_called
    from persons
    group by bundle_digest, question
)
select
    *,
    tp / nullif(tp + fn + unknown_not_called, 0) as sensitivity_lowest,
    (tp + unknown_called) / nullif(tp + fn + unknown_called, 0) as sensitivity_highest,
    tn / nullif(tn + fp + unknown_called, 0) as specificity_lowest,
    (tn + unknown_not_called) / nullif(tn + fp + unknown_not_called, 0) as specificity_highest
from counted
order by bundle_digest, question;
