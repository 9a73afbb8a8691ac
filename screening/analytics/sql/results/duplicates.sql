-- grain: one row per object and bundle that shows an image which another row of the bundle shows already
-- example: select count(*) as second_copies from duplicates
--
-- The same image was sent twice when two scored rows share their pixel_hash, or when two rows of one person share their SOPInstanceUID. Rows
-- that share a SOPInstanceUID are two images where their persons differ and their pixels do too: some machines give a UID twice, and then no
-- person may lose an image to another one. A row without a person shares it with rows without a person alone.
-- Of such rows one counts: the scored one before rejected before failed ones, then the earliest StudyDate, then the most complete
-- header, then the first object_url. Rows that are linked through a third one (a and b share a UID, b and c share pixels) belong together.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   object_id      key of the row that does not count
--   duplicate_of   key of the row that counts instead

create view duplicates as
-- numbers are sorted faster than long texts; a row that shares a number by chance alone is left in a group of its own below
with shared_uid as (
    select number
    from (
        select number, lag(number) over (order by number) as previous
        from (select hash(bundle_digest, SOPInstanceUID, patient_pseudonym) as number from instance_rows where SOPInstanceUID is not null)
    )
    where number = previous
),
shared_pixels as (
    select number
    from (
        select number, lag(number) over (order by number) as previous
        from (select hash(bundle_digest, pixel_hash) as number from instance_rows where pixel_hash is not null and outcome = 'scored')
    )
    where number = previous
),
candidates as (
    select
        bundle_digest,
        object_id,
        patient_pseudonym,
        coalesce(SOPInstanceUID, object_id) as uid_group,
        if(outcome = 'scored', coalesce(pixel_hash, object_id), object_id) as pixel_group,
        row_number() over (
            partition by bundle_digest
            order by
                case outcome when 'scored' then 1 when 'rejected' then 2 else 3 end,
                StudyDate nulls last,
                (patient_pseudonym is not null)::int + (StudyInstanceUID is not null)::int + (SeriesInstanceUID is not null)::int
                + (SOPInstanceUID is not null)::int + (AcquisitionDate is not null)::int + (ViewPosition is not null)::int
                + (PatientSex is not null)::int + (age_years is not null)::int + (InstitutionName is not null)::int desc,
                object_url,
                object_id
        ) as place
    from instance_rows
    where
        (SOPInstanceUID is not null and hash(bundle_digest, SOPInstanceUID, patient_pseudonym) in (from shared_uid))
        or (outcome = 'scored' and pixel_hash is not null and hash(bundle_digest, pixel_hash) in (from shared_pixels))
),
-- the first place of a group spreads from UID to pixels and back
by_uid as (
    select *, min(place) over (partition by bundle_digest, patient_pseudonym, uid_group) as first_by_uid
    from candidates
),
by_pixels as (
    select *, min(first_by_uid) over (partition by bundle_digest, pixel_group) as first_by_pixels
    from by_uid
),
grouped as (
    select *, min(first_by_pixels) over (partition by bundle_digest, patient_pseudonym, uid_group) as first_place
    from by_pixels
)
select grouped.bundle_digest, grouped.object_id, first_of.object_id as duplicate_of
from grouped
inner join grouped as first_of
    on grouped.bundle_digest = first_of.bundle_digest and grouped.first_place = first_of.place
where grouped.place <> grouped.first_place;
