-- grain: one row per bundle, unit of analysis and stage: each stage by itself and the whole cascade
-- example: select question, sensitivity, specificity, ppv, npv from stage_accuracy where unit = 'patient'
--
-- question: pneumonia (stage 2 against the radiologist's reading), gate (stage 2 against RT-PCR), stage_3 (stage 3 against RT-PCR, over what
-- stage 2 let pass) and covid (the whole cascade against RT-PCR). Further columns: as in accuracy.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   unit                 unit of analysis: instance, study or patient
--   question             pneumonia, gate, stage_3 or covid
--   units                how many there are
--   tp                   true positives
--   fp                   false positives
--   fn                   false negatives
--   tn                   true negatives
--   indeterminate        scored, and the reference standard is indeterminate
--   unverified           scored, and nothing is known from the reference standard
--   not_scored           no radiograph scored (none whose reference standard is the unit's, where it has one)
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

create view stage_accuracy as
select * exclude (subgroup, subgroup_value)
from group_accuracy
where subgroup = 'all'
order by
    bundle_digest,
    case unit when 'instance' then 1 when 'study' then 2 else 3 end,
    case question when 'pneumonia' then 1 when 'gate' then 2 when 'stage_3' then 3 else 4 end;
