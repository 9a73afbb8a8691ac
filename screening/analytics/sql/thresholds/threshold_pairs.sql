-- grain: one row per bundle, unit of analysis, threshold of stage 2 and threshold of stage 3
-- example: select * from threshold_pairs where as_run
-- needs: variables threshold_unit (instance, study or patient; unset is patient), prevalence (a share; unset is that of the verified
-- units), cost_screen and cost_test (unset: no costs)
--
-- A unit is positive when one of its radiographs is at or above both thresholds; of a case those count that are positive by the reference
-- standard. The thresholds are every twentieth part of the
-- verified radiographs' scores, and the points of the bundle: the lowest scores that it called positive. Verified units alone: those scored, with a definite reference standard.
--
-- Below the stage-2 point of the bundle, radiographs reached stage 3 only if they were drawn for the audit sample. There tp and fp are
-- estimates: of the units with k radiographs between the two points, those whose k radiographs were all drawn stand for the others, separately
-- for each k and each answer of RT-PCR (post-stratification; the draw does not look at either). The intervals hold that uncertainty too.
-- Where no such unit was drawn, nothing is known, and the counts are null: run with a lower stage-2 point, or a larger audit fraction.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   unit                 unit of analysis: instance, study or patient
--   pneumonia_threshold  of pneumonia_probability (pneumonia_score, where the bundle has no calibration), in [0, 1]
--   covid_threshold      of covid_probability (covid_score, where the bundle has no calibration), in [0, 1]
--   as_run               both are the points that the bundle was run with
--   basis                observed; audit sample, where the counts are estimates from it; not observed, where it is too small
--   undecided            units between the two stage-2 points that the audit sample has to decide
--   audited              of these, units that it did draw
--   tp                   true positives
--   fp                   false positives
--   fn                   false negatives: missed cases
--   tn                   true negatives
--   sensitivity          tp / (tp + fn), in [0, 1]; null where n is 0
--   sensitivity_low      lower limit of the 95 % Wilson interval, with the effective number of units where the audit sample decides
--   sensitivity_high     upper limit
--   specificity          tn / (tn + fp), in [0, 1]; null where n is 0
--   specificity_low      lower limit of the 95 % Wilson interval, as for sensitivity
--   specificity_high     upper limit
--   prevalence           share of cases that the columns below are for, in [0, 1]
--   ppv                  positive predictive value at that prevalence (Bayes), in [0, 1]
--   ppv_low              lower limit of its 95 % logit interval (Mercaldo 2007)
--   ppv_high             upper limit
--   npv                  negative predictive value at that prevalence (Bayes), in [0, 1]
--   npv_low              lower limit of its 95 % logit interval (Mercaldo 2007)
--   npv_high             upper limit
--   screened_per_case    people to screen to find one case, at that prevalence
--   screened_per_case_low  lower limit of its 95 % interval, from Wilson's of sensitivity
--   screened_per_case_high  upper limit
--   tests_per_case       RT-PCR tests to find one case, at that prevalence
--   tests_per_case_low   lower limit of its 95 % interval, from that of PPV
--   tests_per_case_high  upper limit
--   missed_per_100000    cases missed among 100,000 people screened, at that prevalence
--   tests_per_100000     RT-PCR tests among 100,000 people screened, at that prevalence
--   cost_per_case        cost of screening and of RT-PCR tests for each case found, at that prevalence, in the unit of the costs given
--   cost_per_case_low    lower limit of its 95 % interval, by the delta method on its logarithm
--   cost_per_case_high   upper limit

create view threshold_pairs as
with images as materialized (
    select
        radiographs.bundle_digest,
        threshold_unit_id(StudyInstanceUID, patient_pseudonym, radiographs.object_id) as unit_id,
        rt_pcr = 'positive' as truth,
        coalesce(pneumonia_positive, covid_value is not null) as pneumonia_positive,
        covid_positive,
        pneumonia_value,
        covid_value
    from tested_radiographs as radiographs
    inner join reference_verdicts
        on radiographs.bundle_digest = reference_verdicts.bundle_digest and radiographs.object_id = reference_verdicts.object_id
    anti join duplicates
        on radiographs.bundle_digest = duplicates.bundle_digest and radiographs.object_id = duplicates.object_id
    where outcome = 'scored' and rt_pcr in ('positive', 'negative')
    union all by name
    -- without a reference table nobody is verified: this row is the error
    select no_reference('threshold_pairs')::varchar as bundle_digest
    where not needs_reference('threshold_pairs')
),
points as (
    select
        bundle_digest,
        min(pneumonia_value) filter (pneumonia_positive) as pneumonia_point,
        min(covid_value) filter (covid_positive) as covid_point,
        list_sort(list_distinct(
            quantile_disc(pneumonia_value, [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
            || [pneumonia_point]
        )) as pneumonia_points,
        list_sort(list_distinct(
            quantile_disc(covid_value, [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
            || [covid_point]
        )) as covid_points
    from images
    group by bundle_digest
),
-- each radiograph as three small numbers: how many points of each stage it reaches, and whether it passed stage 2 in the run
radiographs as (
    select
        images.bundle_digest,
        unit_id,
        truth,
        {
            'pneumonia': len(list_filter(pneumonia_points, lambda point: point <= pneumonia_value)),
            'covid': if(covid_value is null, null, len(list_filter(covid_points, lambda point: point <= covid_value))),
            'passed': pneumonia_positive
        } as numbers
    from images
    inner join points on images.bundle_digest = points.bundle_digest
),
units as (
    select
        bundle_digest,
        unit_id,
        bool_or(truth) as truth,
        list_sort(coalesce(list(numbers) filter (truth), list(numbers))) as radiographs
    from radiographs
    group by bundle_digest, unit_id
),
-- few units differ in these numbers
kinds as materialized (
    select bundle_digest, truth, radiographs, count(*) as units
    from units
    group by bundle_digest, truth, radiographs
),
pneumonia_places as (
    select bundle_digest, unnest(pneumonia_points) as pneumonia_threshold, generate_subscripts(pneumonia_points, 1) as pneumonia_place
    from points
),
covid_places as (
    select bundle_digest, unnest(covid_points) as covid_threshold, generate_subscripts(covid_points, 1) as covid_place
    from points
),
-- what is seen of a unit at a stage-2 point: the best of its radiographs that passed, and of those that only the audit can tell
seen as (
    select
        kinds.bundle_digest,
        pneumonia_place,
        truth,
        units,
        coalesce(list_max([r.covid for r in radiographs if r.passed and r.pneumonia >= pneumonia_place]), 0) as passed_place,
        [r.covid for r in radiographs if not r.passed and r.pneumonia >= pneumonia_place] as held_back
    from kinds
    inner join pneumonia_places on kinds.bundle_digest = pneumonia_places.bundle_digest
),
strata as (
    select
        seen.bundle_digest,
        pneumonia_place,
        covid_place,
        truth,
        len(held_back) as k,
        sum(units)::bigint as units,
        coalesce(sum(units) filter (passed_place >= covid_place), 0)::bigint as positive,
        coalesce(sum(units) filter (passed_place < covid_place and k > 0), 0)::bigint as undecided,
        coalesce(sum(units) filter (passed_place < covid_place and k > 0 and list_count(held_back) = k), 0)::bigint as audited,
        coalesce(
            sum(units) filter (passed_place < covid_place and k > 0 and list_count(held_back) = k and list_max(held_back) >= covid_place), 0
        )::bigint as audited_positive
    from seen
    inner join covid_places on seen.bundle_digest = covid_places.bundle_digest
    group by seen.bundle_digest, pneumonia_place, covid_place, truth, k
),
-- k of n with its variance: of the estimate from the audit sample, with the correction for a finite population; two added to both
-- sides of a share keep it from being certain
estimated as (
    select
        bundle_digest,
        pneumonia_place,
        covid_place,
        truth,
        sum(units)::bigint as n,
        sum(undecided)::bigint as undecided,
        sum(audited)::bigint as audited,
        bool_and(undecided = 0 or audited > 0) as observed,
        sum(positive + if(undecided = 0, 0, undecided * audited_positive / nullif(audited, 0))) as called,
        sum(
            if(
                undecided = audited,
                0,
                undecided ** 2 * (1 - audited / undecided) * (audited_positive + 2) * (audited - audited_positive + 2)
                / ((audited + 4) ** 2 * nullif(audited, 0))
            )
        ) / sum(units) ** 2 as audit_variance
    from strata
    group by bundle_digest, pneumonia_place, covid_place, truth
),
effective as (
    select
        *,
        if(observed, called / n, null) as share,
        (called + 2) * (n - called + 2) / (n + 4) ** 2 as spread,
        if(observed, spread / (spread / n + audit_variance), null) as effective_n
    from estimated
),
crossed as (
    select
        points.bundle_digest,
        pneumonia_threshold,
        covid_threshold,
        coalesce(pneumonia_threshold = pneumonia_point and covid_threshold = covid_point, false) as as_run,
        coalesce(cases.undecided, 0) + coalesce(others.undecided, 0) as undecided,
        coalesce(cases.audited, 0) + coalesce(others.audited, 0) as audited,
        coalesce(cases.observed, true) and coalesce(others.observed, true) as known,
        if(known, coalesce(cases.called, 0), null) as tp,
        if(known, coalesce(others.called, 0), null) as fp,
        if(known, coalesce(cases.n - cases.called, 0), null) as fn,
        if(known, coalesce(others.n - others.called, 0), null) as tn,
        if(known, cases.share, null) as sensitivity,
        wilson_low(sensitivity * cases.effective_n, cases.effective_n) as sensitivity_low,
        wilson_high(sensitivity * cases.effective_n, cases.effective_n) as sensitivity_high,
        if(known, 1 - others.share, null) as specificity,
        wilson_low(specificity * others.effective_n, others.effective_n) as specificity_low,
        wilson_high(specificity * others.effective_n, others.effective_n) as specificity_high,
        -- the table that the audit sample is worth
        sensitivity * cases.effective_n as tp_known,
        (1 - sensitivity) * cases.effective_n as fn_known,
        specificity * others.effective_n as tn_known,
        (1 - specificity) * others.effective_n as fp_known,
        coalesce(getvariable('prevalence')::double, coalesce(cases.n, 0) / (coalesce(cases.n, 0) + coalesce(others.n, 0))) as prevalence
    from points
    inner join pneumonia_places on points.bundle_digest = pneumonia_places.bundle_digest
    inner join covid_places on points.bundle_digest = covid_places.bundle_digest
    left join effective as cases
        on points.bundle_digest = cases.bundle_digest
        and pneumonia_places.pneumonia_place = cases.pneumonia_place
        and covid_places.covid_place = cases.covid_place
        and cases.truth
    left join effective as others
        on points.bundle_digest = others.bundle_digest
        and pneumonia_places.pneumonia_place = others.pneumonia_place
        and covid_places.covid_place = others.covid_place
        and not others.truth
)
select
    bundle_digest,
    coalesce(getvariable('threshold_unit'), 'patient') as unit,
    pneumonia_threshold,
    covid_threshold,
    as_run,
    case when undecided = 0 then 'observed' when known then 'audit sample' else 'not observed' end as basis,
    undecided,
    audited,
    tp,
    fp,
    fn,
    tn,
    sensitivity,
    sensitivity_low,
    sensitivity_high,
    specificity,
    specificity_low,
    specificity_high,
    prevalence,
    unnest(yield_at(sensitivity, sensitivity_low, sensitivity_high, specificity, tp_known, fn_known, fp_known, tn_known, prevalence)),
    100000 * positive_share_at(sensitivity, specificity, prevalence) as tests_per_100000,
    unnest(costs_at(sensitivity, specificity, tp_known, fn_known, fp_known, tn_known, prevalence))
from crossed
order by bundle_digest, pneumonia_threshold desc, covid_threshold desc;
