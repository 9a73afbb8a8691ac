-- grain: one row per bundle, band of days since onset and number of days: detected at least that many days before confirmation
-- needs: variables lead_days_asked, a list of days (unset is 1, 2 and 5), and min_cell: bands with fewer persons are not shown (unset is 5)
--
-- The band is that of the first positive radiograph, or of the first one where none was positive. A count of early detections means little
-- without it: radiographs show more the longer the symptoms last.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   onset          days from the first day of symptoms to the radiograph, in bands; unknown where a date is
--   days           at least that many days before confirmation
--   suppressed     too few persons to show; with them the smallest other band, where the total would give a single one away
--   k              persons detected that early; null where suppressed
--   n              confirmed persons in the band; null where suppressed
--   detected       of them, with a positive radiograph, early or late; null where suppressed
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
),
sized as (
    select
        *,
        n < coalesce(getvariable('min_cell')::bigint, 5) as small,
        count(*) filter (small) over (partition by bundle_digest, days) as small_bands,
        row_number() over (partition by bundle_digest, days order by small, n, onset) as place_of_others
    from counted
),
decided as (
    select *, small or (small_bands = 1 and place_of_others = 1) as suppressed
    from sized
)
select
    bundle_digest,
    onset,
    days,
    suppressed,
    if(suppressed, null, k) as k,
    if(suppressed, null, n) as n,
    if(suppressed, null, detected) as detected,
    if(suppressed, null, k / n) as share,
    if(suppressed, null, wilson_low(k, n)) as low,
    if(suppressed, null, wilson_high(k, n)) as high
from decided
order by bundle_digest, band_order(onset), days;
