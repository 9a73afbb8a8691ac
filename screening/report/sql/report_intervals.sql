-- grain: one row per bundle and number of days from a radiograph to the specimen that decided its verdict, the nearest of several
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   days           specimen date (result date where unknown) less radiograph date; null where a date is unknown
--   images         verified radiographs that count

create view report_intervals as
with nearest as (
    select
        links.bundle_digest,
        links.object_id,
        arg_min(links.test_date - links.radiograph_date, abs(links.test_date - links.radiograph_date)) as days
    from links
    inner join verdicts
        on links.bundle_digest = verdicts.bundle_digest and links.object_id = verdicts.object_id and links.result = verdicts.rt_pcr
    where verdicts.counts and verdicts.outcome = 'scored' and verdicts.rt_pcr in ('positive', 'negative')
    group by links.bundle_digest, links.object_id
)
select bundle_digest, days, count(*) as images
from nearest
group by bundle_digest, days
order by bundle_digest, days;
