-- grain: one row per bundle and number of days: how many confirmed persons were detected at least that many days before confirmation
-- example: select days, k, n, share, low, high from lead_time_summary
-- needs: variable lead_days_asked, a list of days (unset is 1, 2 and 5)
--
-- The share is of all confirmed persons with a scored radiograph, missed ones and those with missing dates included. What the gain costs stands
-- beside it: persons whose RT-PCR was negative and whom the cascade called positive.
--
-- columns:
--   bundle_digest       digest of the bundle that answered
--   days                at least that many days before confirmation
--   detected            persons with a positive radiograph, early or late
--   dates_missing       persons without the dates that a lead time needs
--   k                   persons detected that early
--   n                   confirmed persons
--   share               k / n, in [0, 1]
--   low                 lower limit of the 95 % Wilson interval
--   high                upper limit
--   detected_after      persons whose first positive radiograph was taken after confirmation: no gain
--   false_alerts        persons with a negative RT-PCR whom the cascade called positive
--   false_alerts_n      persons with a negative RT-PCR and a scored radiograph
--   false_alerts_share  false_alerts / false_alerts_n, in [0, 1]
--   false_alerts_low    lower limit of the 95 % Wilson interval
--   false_alerts_high   upper limit

create view lead_time_summary as
with thresholds as (
    select unnest(coalesce(getvariable('lead_days_asked')::int[], [1, 2, 5])) as days
),
counted as (
    select
        bundle_digest,
        days,
        count(*) filter (detected) as detected,
        count(*) filter (dates_missing) as dates_missing,
        count(*) filter (lead_days >= days) as k,
        count(*) as n,
        count(*) filter (timing = 'after') as detected_after
    from lead_time
    cross join thresholds
    group by bundle_digest, days
),
alerts as (
    select bundle_digest, fp, fp + tn as negatives
    from accuracy
    where unit = 'patient' and question = 'covid'
)
select
    counted.bundle_digest,
    days,
    detected,
    dates_missing,
    k,
    n,
    k / n as share,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high,
    detected_after,
    fp as false_alerts,
    negatives as false_alerts_n,
    fp / nullif(negatives, 0) as false_alerts_share,
    wilson_low(fp, negatives) as false_alerts_low,
    wilson_high(fp, negatives) as false_alerts_high
from counted
left join alerts
    on counted.bundle_digest = alerts.bundle_digest
order by counted.bundle_digest, days;
