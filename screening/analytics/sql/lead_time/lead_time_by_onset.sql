-- grain: one row per bundle, band of days since onset and number of days: detected at least that many days before confirmation
-- example: select onset, days, k, n, share from lead_time_by_onset
-- needs: variable lead_days_asked, a list of days (unset is 1, 2 and 5)
--
-- The band is that of the first positive radiograph, or of the first one where none was positive. A count of early detections means little
-- without it: radiographs show more the longer the symptoms last. Nothing is held back here: the commands do that where a band has few persons.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   onset          days from the first day of symptoms to the radiograph, in bands; unknown where a date is
--   days           at least that many days before confirmation
--   k              persons detected that early
--   n              confirmed persons in the band
--   detected       of them, with a positive radiograph, early or late
--   share          k / n, in [0, 1]
--   low            lower limit of the 95 % Wilson interval
--   high           upper limit

create view lead_time_by_onset as
with thresholds as (
    select unnest(coalesce(getvariable('lead_days_asked')::int[], [1, 2, 5])) as days
),
counted as (
    select
        bundle_digest,
        coalesce(onset_band(days_since_onset), 'unknown') as onset,
        days,
        count(*) filter (lead_days >= days) as k,
        count(*) as n,
        count(*) filter (detected) as detected
    from lead_time
    cross join thresholds
    group by bundle_digest, onset, days
)
select
    bundle_digest,
    onset,
    days,
    k,
    n,
    detected,
    k / n as share,
    wilson_low(k, n) as low,
    wilson_high(k, n) as high
from counted
order by bundle_digest, band_order(onset), days;
