-- grain: one row per bundle and number of days: how many confirmed persons were detected at least that many days before confirmation
-- The share is of all confirmed persons with a scored radiograph, missed ones and those with missing dates included.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   days           at least that many days before confirmation
--   detected       persons with a positive radiograph, early or late
--   dates_missing  persons without the dates that a lead time needs
--   k              persons detected that early
--   n              confirmed persons
--   share          k / n, in [0, 1]
--   low            lower limit of the 95 % Wilson interval
--   high           upper limit

create view lead_time_summary as
with thresholds (days) as (
    values (1), (2), (5)
),
counted as (
    select
        bundle_digest,
        days,
        count(*) filter (detected) as detected,
        count(*) filter (dates_missing) as dates_missing,
        count(*) filter (lead_days >= days) as k,
        count(*) as n
    from lead_time
    cross join thresholds
    group by bundle_digest, days
)
select
    *,
    k / n as share,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high
from counted
order by bundle_digest, days;
