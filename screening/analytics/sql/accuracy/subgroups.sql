-- grain: one row per bundle, unit of analysis, question, subgroup and its value: what the answers show of subgroups
-- example: select subgroup, subgroup_value, sensitivity, specificity from subgroups where unit = 'patient' and question = 'covid'
--
-- Nothing is held back here, because SQL reads the rows of single persons too. The commands hold small groups back, and what would give
-- them away in anything that is shown beside them.
--
-- columns:
--   bundle_digest     digest of the bundle that answered
--   unit              unit of analysis: instance, study or patient
--   question          covid, pneumonia, gate or stage_3
--   subgroup          age, sex, view, site, vendor, days since onset, or a column that was asked for
--   subgroup_value    one of its values
--   units             linked with a test
--   verified          of them, scored and with a definite reference standard
--   sensitivity_k     true positives
--   sensitivity_n     positives by the reference standard
--   sensitivity       share, in [0, 1]; null where n is 0
--   sensitivity_low   lower limit of the 95 % Wilson interval
--   sensitivity_high  upper limit
--   specificity_k     true negatives
--   specificity_n     negatives by the reference standard
--   specificity       share, in [0, 1]; null where n is 0
--   specificity_low   lower limit of the 95 % Wilson interval
--   specificity_high  upper limit

create view subgroups as
select
    bundle_digest,
    unit,
    question,
    subgroup,
    subgroup_value,
    units,
    sensitivity_n + specificity_n as verified,
    sensitivity_k,
    sensitivity_n,
    sensitivity,
    sensitivity_low,
    sensitivity_high,
    specificity_k,
    specificity_n,
    specificity,
    specificity_low,
    specificity_high
from group_accuracy
where subgroup <> 'all'
order by bundle_digest, unit, question, subgroup, band_order(subgroup_value), subgroup_value;
