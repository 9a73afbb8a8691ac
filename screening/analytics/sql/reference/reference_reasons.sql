-- grain: one row per column of the reference table and reason why cells of it are not taken as they stand, or rows of it not used
-- example: select column_name, reason, k from reference_reasons order by k desc
--
-- columns:
--   column_name  of the cells; row where whole rows are not used
--   reason       in words
--   k            rows with that reason
--   n            rows of the reference table
--   first_row    number of the first of them, from 1 after the header
--   used         whether something is taken instead

create view reference_reasons as
select
    column_name,
    reason,
    count(*) as k,
    (select count(*) from reference_read) as n,
    min(row_number) as first_row,
    bool_or(cleaned_value is not null and column_name <> 'row') as used
from reference_cleaning
group by column_name, reason
order by column_name = 'row' desc, k desc, column_name, reason;
