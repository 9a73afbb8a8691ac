-- grain: one row per bundle, night and site, and one for all sites together: the cascade against the RT-PCR results that have arrived
-- example: select * from monitor_accuracy where site = 'all sites'
-- needs: variable window_after_days
--
-- Unit: the scored radiograph that counts (no second copies), verified by the link rule. Results come late: a radiograph is open while a
-- test that would count for it may still be missing from the reference table, which ends before its window does. A positive result closes
-- it, for nothing later can change that. Rows with open radiographs are incomplete, and their figures will move.
--
-- The reference table ends on the last day that a hundredth of its tests, and two at least, reach by the later of their dates. So one mistyped
-- year closes no night. A radiograph whose date is after its night was taken on that night at the latest, so that none stays open for years.
--
-- columns:
--   bundle_digest        digest of the bundle that answered
--   screen_date          the night of the run
--   site                 InstitutionName; unknown where the header has none; all sites
--   scored               scored radiographs
--   verified             of them, with a definite result
--   indeterminate        of them, with indeterminate results alone
--   unverified           of them, without a result
--   open                 of them, those whose result may still come or change
--   incomplete           some are open
--   tp                   true positives
--   fp                   false positives
--   fn                   false negatives
--   tn                   true negatives
--   verified_share       verified / scored, in [0, 1]
--   verified_share_low   lower limit of the 95 % Wilson interval
--   verified_share_high  upper limit
--   sensitivity          tp / (tp + fn), in [0, 1]; null where n is 0
--   sensitivity_low      lower limit of the 95 % Wilson interval
--   sensitivity_high     upper limit
--   specificity          tn / (tn + fp), in [0, 1]; null where n is 0
--   specificity_low      lower limit of the 95 % Wilson interval
--   specificity_high     upper limit

create view monitor_accuracy as
with days as (
    select greatest(specimen_date, result_date) as day, count(*) as tests
    from reference
    where day is not null
    group by day
),
reached as (
    select day, sum(tests) over (order by day desc) as reaching, sum(tests) over () as dated
    from days
),
ended as (
    select max(day) filter (reaching >= greatest(2, dated / 100)) as last_day
    from reached
),
radiographs as (
    select
        instances.bundle_digest,
        instances.screen_date,
        coalesce(instances.InstitutionName, 'unknown') as site,
        instances.covid_positive as called,
        rt_pcr,
        coalesce(instances.StudyDate, instances.AcquisitionDate) as stated_date,
        if(stated_date > instances.screen_date, instances.screen_date, stated_date) as radiograph_date,
        rt_pcr is distinct from 'positive' and coalesce(
            last_day is null or last_day < radiograph_date + getvariable('window_after_days'),
            false
        ) as open
    from instances
    cross join ended
    left join reference_verdicts
        on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id
    where instances.counts and instances.outcome = 'scored' and needs_reference('monitor_accuracy')
),
counted as (
    select
        bundle_digest,
        screen_date,
        if(grouping(site) = 1, 'all sites', site) as site,
        count(*) as scored,
        count(*) filter (rt_pcr in ('positive', 'negative')) as verified,
        count(*) filter (rt_pcr = 'indeterminate') as indeterminate,
        count(*) filter (rt_pcr is null) as unverified,
        count(*) filter (open) as open,
        bool_or(open) as incomplete,
        count(*) filter (called and rt_pcr = 'positive') as tp,
        count(*) filter (called and rt_pcr = 'negative') as fp,
        count(*) filter (not called and rt_pcr = 'positive') as fn,
        count(*) filter (not called and rt_pcr = 'negative') as tn
    from radiographs
    group by grouping sets ((bundle_digest, screen_date, site), (bundle_digest, screen_date))
)
select
    *,
    verified / scored as verified_share,
    wilson_low(verified, scored) as verified_share_low,
    wilson_high(verified, scored) as verified_share_high,
    tp / nullif(tp + fn, 0) as sensitivity,
    wilson_low(tp, tp + fn) as sensitivity_low,
    wilson_high(tp, tp + fn) as sensitivity_high,
    tn / nullif(tn + fp, 0) as specificity,
    wilson_low(tn, tn + fp) as specificity_low,
    wilson_high(tn, tn + fp) as specificity_high
from counted
order by bundle_digest, screen_date, site <> 'all sites', scored desc, site;
