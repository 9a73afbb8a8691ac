-- grain: one row per reader and radiograph: the latest reading, which counts
-- example: select reader, finding, count(*) as radiographs from latest_readings group by all order by all
-- needs: the table readings
--
-- columns:
--   reader             name of the reader's token
--   radiograph         SOPInstanceUID, or object_id where that is unknown
--   finding            normal, pneumonia, covid or unreadable
--   comment            what the reader wrote
--   scores_hidden      the server had not shown this reader any score of the radiograph before
--   read_at            when the server recorded it
--   object_id          key of the instance row
--   patient_pseudonym  its person
--   StudyDate          day of the radiograph

create view latest_readings as
select
    reader,
    coalesce(SOPInstanceUID, object_id) as radiograph,
    finding,
    comment,
    scores_hidden,
    read_at,
    object_id,
    patient_pseudonym,
    StudyDate
from readings
qualify row_number() over (partition by reader, radiograph order by read_at desc, reading_id desc) = 1;
