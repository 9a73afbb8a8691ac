-- grain: one row per bundle, night, site and reason why objects were rejected or failed, and one for all sites together
-- example: select * from monitor_reasons where site = 'all sites'
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   screen_date    the night of the run
--   site           InstitutionName; unknown where the header has none or was not read; all sites
--   reason         code of the reason
--   outcome        rejected or failed
--   k              objects refused for that reason
--   n              objects answered
--   share          k / n, in [0, 1]
--   low            lower limit of the 95 % Wilson interval
--   high           upper limit

create view monitor_reasons as
with counted as (
    select
        bundle_digest,
        screen_date,
        if(grouping(site) = 1, 'all sites', site) as site,
        reason,
        any_value(outcome) as outcome,
        count(*) as objects
    from (select bundle_digest, screen_date, reason, outcome, coalesce(InstitutionName, 'unknown') as site from instance_rows)
    group by grouping sets ((bundle_digest, screen_date, site, reason), (bundle_digest, screen_date, reason))
),
shared as (
    select
        bundle_digest,
        screen_date,
        site,
        reason,
        outcome,
        objects as k,
        (sum(objects) over (partition by bundle_digest, screen_date, site))::bigint as n
    from counted
)
select
    *,
    k / n as share,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high
from shared
where reason is not null
order by bundle_digest, screen_date, site <> 'all sites', site, k desc, reason;
