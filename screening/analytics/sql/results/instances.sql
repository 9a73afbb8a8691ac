-- grain: one row per object of the index and bundle
-- example: select screen_date, count(*) filter (covid_positive) as called from instances where counts group by screen_date order by screen_date
-- All columns of an instance row, and which row counts when the same image was sent twice: see duplicates.sql for the rule.
-- Counting rows are not all scored ones: an image that was rejected or failed is a row too, and is not a negative one.
--
-- columns:
--   counts        this row stands for its image; false for a second copy
--   duplicate_of  object_id of the row that counts instead; null where this one does

create view instances as
select
    instance_rows.*,
    duplicates.object_id is null as counts,
    duplicates.duplicate_of
from instance_rows
left join duplicates
    on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id;
