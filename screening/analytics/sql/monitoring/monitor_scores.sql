-- grain: one row per bundle, night, site and stage that scores, and one for all sites together
-- example: select * from monitor_scores where site = 'all sites'
-- needs: variables baseline_from and baseline_to, nights (unset: no baseline)
--
-- Population stability index: sum of (a - b) ln(a / b) over ten bins, with the share a of the night's scores and b of the baseline's.
-- The bins lie between the deciles of the baseline's scores at all sites; b is of the same site. A bin that is empty on one side alone
-- counts half a score there; one that is empty on both counts nothing. By habit 0.1 is a small shift and 0.25 a large one; chance alone
-- gives about 9 (1 / n + 1 / baseline_n).
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   screen_date    the night of the run
--   site           InstitutionName; unknown where the header has none; all sites
--   stage          pneumonia: every scored object; covid: those that stage 2 called positive
--   n              scores
--   deciles        the nine deciles of the scores, each in [0, 1], from the lowest
--   baseline_n     scores of the baseline period at that site; null without a baseline
--   psi            population stability index against the baseline; null where either has no scores
--   psi_by_chance  what it would be about, had nothing changed

create view monitor_scores as
with scores as (
    select bundle_digest, screen_date, coalesce(InstitutionName, 'unknown') as site, 'pneumonia' as stage, pneumonia_score as score
    from instance_rows
    where pneumonia_score is not null
    union all
    select bundle_digest, screen_date, coalesce(InstitutionName, 'unknown'), 'covid', covid_score
    from instance_rows
    where covid_score is not null and coalesce(pneumonia_positive, true)
),
described as (
    select
        bundle_digest,
        screen_date,
        if(grouping(site) = 1, 'all sites', site) as site,
        stage,
        count(*) as n,
        quantile_disc(score, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) as deciles
    from scores
    group by grouping sets ((bundle_digest, screen_date, site, stage), (bundle_digest, screen_date, stage))
),
edges as (
    select bundle_digest, stage, quantile_disc(score, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) as edge
    from scores
    where screen_date between getvariable('baseline_from')::date and getvariable('baseline_to')::date
    group by bundle_digest, stage
),
binned as (
    select
        scores.bundle_digest,
        screen_date,
        site,
        scores.stage,
        (score > edge[1])::utinyint + (score > edge[2])::utinyint + (score > edge[3])::utinyint + (score > edge[4])::utinyint
        + (score > edge[5])::utinyint + (score > edge[6])::utinyint + (score > edge[7])::utinyint + (score > edge[8])::utinyint
        + (score > edge[9])::utinyint as bin
    from scores
    inner join edges
        on scores.bundle_digest = edges.bundle_digest and scores.stage = edges.stage
),
counted as materialized (
    select
        bundle_digest,
        screen_date,
        if(grouping(site) = 1, 'all sites', site) as site,
        stage,
        bin,
        count(*) as k
    from binned
    group by grouping sets ((bundle_digest, screen_date, site, stage, bin), (bundle_digest, screen_date, stage, bin))
),
baseline as materialized (
    select bundle_digest, site, stage, bin, sum(k)::bigint as k
    from counted
    where screen_date between getvariable('baseline_from')::date and getvariable('baseline_to')::date
    group by bundle_digest, site, stage, bin
),
baseline_totals as (
    select bundle_digest, site, stage, sum(k)::bigint as baseline_n
    from baseline
    group by bundle_digest, site, stage
),
shares as (
    select
        described.bundle_digest,
        described.screen_date,
        described.site,
        described.stage,
        baseline_n,
        coalesce(counted.k, 0) as k,
        coalesce(baseline.k, 0) as baseline_k,
        greatest(coalesce(counted.k, 0), 0.5) / n as a,
        greatest(coalesce(baseline.k, 0), 0.5) / baseline_n as b
    from described
    inner join baseline_totals using (bundle_digest, site, stage)
    cross join range(10) as bins (bin)
    left join counted using (bundle_digest, screen_date, site, stage, bin)
    left join baseline using (bundle_digest, site, stage, bin)
),
indexed as (
    select
        bundle_digest,
        screen_date,
        site,
        stage,
        any_value(baseline_n) as baseline_n,
        sum((a - b) * ln(a / b)) filter (k > 0 or baseline_k > 0) as psi
    from shares
    group by bundle_digest, screen_date, site, stage
)
select
    described.*,
    baseline_n,
    psi,
    9 * (1 / n + 1 / baseline_n) as psi_by_chance
from described
left join indexed using (bundle_digest, screen_date, site, stage)
order by bundle_digest, screen_date, stage desc, site <> 'all sites', n desc, site;
