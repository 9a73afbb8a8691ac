-- grain: one row per bundle, unit of analysis and stage: what its answers are worth at a stated prevalence
-- example: select question, prevalence, ppv, ppv_low, ppv_high, npv from predictive_values where unit = 'patient'
-- needs: variables prevalence (a share; unset is that of the verified units), cost_screen and cost_test (unset: no costs)
--
-- Sensitivity and specificity are those of the view stage_accuracy. The prevalence is taken as known: the intervals do not hold its own error.
--
-- columns:
--   bundle_digest           digest of the bundle that answered
--   unit                    unit of analysis: instance, study or patient
--   question                pneumonia, gate, stage_3 or covid
--   prevalence              share of cases that the columns below are for, in [0, 1]
--   ppv                     positive predictive value at that prevalence (Bayes), in [0, 1]
--   ppv_low                 lower limit of its 95 % logit interval (Mercaldo 2007)
--   ppv_high                upper limit
--   npv                     negative predictive value at that prevalence (Bayes), in [0, 1]
--   npv_low                 lower limit of its 95 % logit interval (Mercaldo 2007)
--   npv_high                upper limit
--   screened_per_case       people to screen to find one case
--   screened_per_case_low   lower limit of its 95 % interval, from Wilson's of sensitivity
--   screened_per_case_high  upper limit
--   tests_per_case          RT-PCR tests to find one case
--   tests_per_case_low      lower limit of its 95 % interval, from that of PPV
--   tests_per_case_high     upper limit
--   missed_per_100000       cases missed among 100,000 people screened
--   cost_per_case           cost of screening and of RT-PCR tests for each case found, in the unit of the costs given
--   cost_per_case_low       lower limit of its 95 % interval, by the delta method on its logarithm
--   cost_per_case_high      upper limit

create view predictive_values as
with stages as (
    select
        *,
        coalesce(getvariable('prevalence')::double, sensitivity_n / nullif(sensitivity_n + specificity_n, 0)) as prevalence
    from group_accuracy
    where subgroup = 'all'
)
select
    bundle_digest,
    unit,
    question,
    prevalence,
    unnest(yield_at(sensitivity, sensitivity_low, sensitivity_high, specificity, tp, fn, fp, tn, prevalence)),
    unnest(costs_at(sensitivity, specificity, tp, fn, fp, tn, prevalence))
from stages
order by bundle_digest, unit, case question when 'pneumonia' then 1 when 'gate' then 2 when 'stage_3' then 3 else 4 end;
