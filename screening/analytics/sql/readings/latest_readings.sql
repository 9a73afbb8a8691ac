-- grain: one row per reader and radiograph: the latest reading, which counts
-- example: select reader, finding, count(*) as radiographs from latest_readings group by all order by all
-- needs: the table readings
--
-- Two readings are of one radiograph when they share their object_id or pixel_hash, or one person's SOPInstanceUID, as in duplicates.sql.
-- A SOPInstanceUID alone says nothing, for some machines give it to the images of two persons. So without a person and a pixel_hash, which
-- earlier versions did not write, a reading is of its object alone. Readings that are linked through a third one belong together.
--
-- columns:
--   reader             name of the reader's token
--   radiograph         names the radiograph: the object_id of its first reading
--   finding            normal, pneumonia, covid or unreadable
--   comment            what the reader wrote
--   scores_hidden      the server had not shown this reader any score of the radiograph before
--   read_at            when the server recorded it
--   object_id          key of the instance row
--   patient_pseudonym  its person
--   StudyDate          day of the radiograph

create view latest_readings as
with named as (
    select
        *,
        row_number() over (order by read_at, reading_id) as place,
        coalesce(max(pixel_hash) over (partition by object_id), object_id) as image,
        if(patient_pseudonym is null, image, coalesce(SOPInstanceUID, image)) as uid_of_person
    from readings
),
-- the first place of a radiograph spreads from UID to pixels and back
by_uid as (
    select *, min(place) over (partition by patient_pseudonym, uid_of_person) as first_by_uid
    from named
),
by_image as (
    select *, min(first_by_uid) over (partition by image) as first_by_image
    from by_uid
),
grouped as (
    select *, min(first_by_image) over (partition by patient_pseudonym, uid_of_person) as first_place
    from by_image
)
select
    reader,
    arg_min(object_id, place) over (partition by first_place) as radiograph,
    finding,
    comment,
    scores_hidden,
    read_at,
    object_id,
    patient_pseudonym,
    StudyDate
from grouped
qualify row_number() over (partition by reader, first_place order by place desc) = 1;
