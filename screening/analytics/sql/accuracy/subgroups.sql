-- grain: one row per bundle, unit of analysis, question, subgroup and its value, with few people held back
-- needs: variable min_cell: fewer units than that are not shown (unset is 5; 1 shows all)
--
-- Where a row has verified units, but fewer than min_cell, all its figures are null and `suppressed` is true. Where only its positives (or
-- negatives) are that few but not none, the figures that rest on them are null, and so is what they could be worked out from.
-- Where one value of a subgroup alone is suppressed, the total would give it away: the one with the fewest verified units beside it is
-- suppressed too.
--
-- columns:
--   bundle_digest     digest of the bundle that answered
--   unit              unit of analysis: instance, study or patient
--   question          covid, pneumonia, gate or stage_3
--   subgroup          age, sex, view, site, vendor, days since onset, or a column that was asked for
--   subgroup_value    one of its values
--   suppressed        too few verified units to show, or held back with one that has too few
--   units             linked with a test; null where suppressed
--   verified          of them, scored and with a definite reference standard; null where part of it is too small to show
--   sensitivity_k     true positives
--   sensitivity_n     positives by the reference standard
--   sensitivity       share, in [0, 1]; null where n is 0 or too small to show
--   sensitivity_low   lower limit of the 95 % Wilson interval
--   sensitivity_high  upper limit
--   specificity_k     true negatives
--   specificity_n     negatives by the reference standard
--   specificity       share, in [0, 1]; null where n is 0 or too small to show
--   specificity_low   lower limit of the 95 % Wilson interval
--   specificity_high  upper limit

create view subgroups as
with sized as (
    select
        *,
        coalesce(getvariable('min_cell')::bigint, 5) as min_cell,
        sensitivity_n + specificity_n as verified_units,
        verified_units between 1 and min_cell - 1 as small,
        sensitivity_n between 1 and min_cell - 1 as few_positives,
        specificity_n between 1 and min_cell - 1 as few_negatives
    from group_accuracy
    where subgroup <> 'all'
),
placed as (
    select
        *,
        count(*) filter (small) over same_subgroup as small_values,
        row_number() over (
            partition by bundle_digest, unit, question, subgroup order by small, verified_units = 0, verified_units, subgroup_value
        ) as place_of_others
    from sized
    window same_subgroup as (partition by bundle_digest, unit, question, subgroup)
),
decided as (
    select
        *,
        small or (small_values = 1 and place_of_others = 1) as suppressed,
        suppressed or few_positives as hides_positives,
        suppressed or few_negatives as hides_negatives
    from placed
)
select
    bundle_digest,
    unit,
    question,
    subgroup,
    subgroup_value,
    suppressed,
    if(suppressed, null, units) as units,
    if(hides_positives or hides_negatives, null, verified_units) as verified,
    if(hides_positives, null, sensitivity_k) as sensitivity_k,
    if(hides_positives, null, sensitivity_n) as sensitivity_n,
    if(hides_positives, null, sensitivity) as sensitivity,
    if(hides_positives, null, sensitivity_low) as sensitivity_low,
    if(hides_positives, null, sensitivity_high) as sensitivity_high,
    if(hides_negatives, null, specificity_k) as specificity_k,
    if(hides_negatives, null, specificity_n) as specificity_n,
    if(hides_negatives, null, specificity) as specificity,
    if(hides_negatives, null, specificity_low) as specificity_low,
    if(hides_negatives, null, specificity_high) as specificity_high
from decided
order by
    bundle_digest, unit, question, subgroup,
    band_order(subgroup_value),
    subgroup_value;
