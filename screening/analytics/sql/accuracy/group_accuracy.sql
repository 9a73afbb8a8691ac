-- grain: one row per bundle, unit of analysis, question, subgroup and its value: the 2×2 table and its figures
-- example: select subgroup_value, sensitivity, specificity from group_accuracy where unit = 'patient' and question = 'covid' and subgroup = 'site'
--
-- Units, questions and cells: see judgements. Subgroups hold the units that are linked with a test; all holds the others too.
-- Nothing is held back here: the commands do that where few units could be people.
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

create view group_accuracy as
-- what a unit says of the four questions in one number, six bits each, the truth in the lower two of them: few differ, so that they are
-- counted first and told apart afterwards
with units as materialized (
    select
        bundle_digest,
        unit,
        object_id,
        (
            covid_truth + 4 * covid_called
            + 64 * (pneumonia_truth + 4 * pneumonia_called)
            + 4096 * (gate_truth + 4 * gate_called)
            + 262144 * (stage_3_truth + 4 * stage_3_called)
        )::uinteger as said,
        undated,
        age_band(age_years) as age,
        PatientSex as sex,
        ViewPosition as view,
        InstitutionName as site,
        Manufacturer as vendor,
        onset_band(days_since_onset) as onset
    from judged_units
),
alike as (
    select bundle_digest, unit, 'all' as subgroup, 'all' as subgroup_value, said, undated, count(*) as units
    from units
    group by bundle_digest, unit, said, undated
    union all
    select
        bundle_digest,
        unit,
        case
            when grouping(age) = 0 then 'age'
            when grouping(sex) = 0 then 'sex'
            when grouping(view) = 0 then 'view'
            when grouping(site) = 0 then 'site'
            when grouping(vendor) = 0 then 'vendor'
            else 'days since onset'
        end,
        coalesce(age, sex, view, site, vendor, onset),
        said,
        undated,
        count(*)
    from units
    group by bundle_digest, unit, said, undated, grouping sets (age, sex, view, site, vendor, onset)
    union all
    select units.bundle_digest, unit, group_values.subgroup, group_values.subgroup_value, said, undated, count(*)
    from units
    inner join group_values
        on units.bundle_digest = group_values.bundle_digest and units.object_id = group_values.object_id
    group by units.bundle_digest, unit, group_values.subgroup, group_values.subgroup_value, said, undated
),
asked as (
    select
        * exclude (said),
        ranked_truth((said >> place) & 3) as truth,
        ((said >> place) & 63) >> 2 as called_of,
        cell_of(truth, ranked_call(called_of)) as cell
    from alike
    cross join (values ('covid', 0), ('pneumonia', 6), ('gate', 12), ('stage_3', 18)) as questions (question, place)
    where
        case question when 'covid' then true when 'pneumonia' then exists (select 1 from reference where reading is not null) else called_of > 0 end
),
grouped as (
    select bundle_digest, unit, question, subgroup, subgroup_value, cell, truth, undated, units
    from asked
    union all
    select bundle_digest, unit, question, 'all', 'all', cell, null, false, units
    from unlinked_judgements
),
counted as (
    select
        bundle_digest,
        unit,
        question,
        subgroup,
        coalesce(subgroup_value, 'unknown') as subgroup_value,
        sum(units)::bigint as units,
        coalesce(sum(units) filter (cell = 'tp'), 0)::bigint as tp,
        coalesce(sum(units) filter (cell = 'fp'), 0)::bigint as fp,
        coalesce(sum(units) filter (cell = 'fn'), 0)::bigint as fn,
        coalesce(sum(units) filter (cell = 'tn'), 0)::bigint as tn,
        coalesce(sum(units) filter (cell = 'indeterminate'), 0)::bigint as indeterminate,
        coalesce(sum(units) filter (cell = 'unverified'), 0)::bigint as unverified,
        coalesce(sum(units) filter (cell = 'not_scored'), 0)::bigint as not_scored,
        coalesce(sum(units) filter (cell = 'not_scored' and truth = 'positive'), 0)::bigint as not_scored_positive,
        coalesce(sum(units) filter (cell in ('tp', 'fp', 'fn', 'tn') and undated), 0)::bigint as undated
    from grouped
    group by bundle_digest, unit, question, subgroup, coalesce(subgroup_value, 'unknown')
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
