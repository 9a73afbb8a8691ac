-- grain: one row per bundle, unit of analysis and question
-- example: select sensitivity, sensitivity_low, sensitivity_high from accuracy where unit = 'patient' and question = 'covid'
--
-- unit: instance (one radiograph), study (StudyInstanceUID) or patient (patient_pseudonym). Second copies do not count. The reference standard
-- of a unit is positive when that of one of its radiographs is; else negative when one is; else indeterminate. The unit is called positive
-- when a radiograph with the same reference standard is: a person with a positive test is found by a radiograph that is positive by the
-- reference standard, so taken in an episode of that person, and by no other. Units are linked by the view link_rule.
-- question: pneumonia (stage 2 against the radiologist's reading; only where the reference table has readings) or
-- covid (the whole cascade against RT-PCR).
-- tp + fp + fn + tn + indeterminate + unverified + not_scored = units: a rejected or failed image is not a negative one.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   unit                 unit of analysis: instance, study or patient
--   question             pneumonia or covid
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

create view accuracy as
select * exclude (subgroup, subgroup_value)
from group_accuracy
where subgroup = 'all' and question in ('covid', 'pneumonia')
order by bundle_digest, question, case unit when 'instance' then 1 when 'study' then 2 else 3 end;
