-- grain: one row per radiograph and two who judged it: a reader and a bundle's cascade, or two readers
-- example: select first, kind, count(*) as radiographs from reading_pairs group by all order by all
--
-- The cascade's finding is covid where stage 3 is positive, pneumonia where stage 2 alone is, normal where stage 2 is negative.
--
-- columns:
--   kind            cascade or reader: what the second one is
--   first           name of the reader
--   second          digest of the bundle, or name of the other reader
--   radiograph      as in latest_readings
--   first_finding   normal, pneumonia, covid or unreadable
--   second_finding  likewise; null where the cascade did not score the radiograph
--   scores_hidden   no score of the radiograph had been shown to the reader, or to either of two

create view reading_pairs as
select
    'cascade' as kind,
    latest_readings.reader as first,
    instance_rows.bundle_digest as second,
    radiograph,
    finding as first_finding,
    case when covid_positive then 'covid' when pneumonia_positive then 'pneumonia' when not pneumonia_positive then 'normal' end
        as second_finding,
    scores_hidden
from latest_readings
inner join instance_rows
    on latest_readings.object_id = instance_rows.object_id
union all
select 'reader', one.reader, two.reader, one.radiograph, one.finding, two.finding, one.scores_hidden and two.scores_hidden
from latest_readings as one
inner join latest_readings as two
    on one.radiograph = two.radiograph and one.reader < two.reader;
