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
with counted as (
    select
        bundle_digest,
        question,
        count(*) as persons,
        count(*) filter (cell = 'tp') as tp,
        count(*) filter (cell = 'fp') as fp,
        count(*) filter (cell = 'fn') as fn,
        count(*) filter (cell = 'tn') as tn,
        count(*) filter (cell = 'indeterminate') as indeterminate,
        count(*) filter (cell = 'unverified') as unverified,
        count(*) filter (cell = 'not_scored') as not_scored,
        count(*) filter (cell in ('indeterminate', 'unverified') and called) as unknown_called,
        count(*) filter (cell in ('indeterminate', 'unverified') and not called) as unknown_not_called
    from report_persons
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
