-- grain: one row per cell of the reference table that is not taken as it stands, and per row of it that is not used
-- example: select row_number, column_name, reason from reference_cleaning order by row_number limit 20
-- Nothing is changed or left out without a row here. An empty cell is unknown and has none; an empty result
-- keeps its row from being used.
--
-- columns:
--   row_number     number of the row, from 1 after the header
--   column_name    of the cell; row where the whole row is not used
--   raw_value      the cell as it was given
--   cleaned_value  what is taken instead; null where nothing is; of a repeated row the number of the first one
--   reason         in words: see reference_read.sql and dates.sql

create view reference_cleaning as
select row_number, 'symptom_onset_date' as column_name, onset_text as raw_value, symptom_onset_date::varchar as cleaned_value, onset_reason as reason
from reference_read
where onset_reason is not null
union all
select row_number, 'specimen_date', specimen_text, specimen_date::varchar, specimen_reason
from reference_read
where specimen_reason is not null
union all
select row_number, 'result_date', report_text, result_date::varchar, report_reason
from reference_read
where report_reason is not null
union all
select row_number, 'death_date', death_text, death_date::varchar, death_reason
from reference_read
where death_reason is not null
union all
select row_number, 'result', result_text, result, result_reason
from reference_read
where result_reason is not null
union all
select row_number, 'reading', reading_text, reading, reading_reason
from reference_read
where reading_reason is not null
union all
select row_number, 'PatientSex', sex_text, PatientSex, sex_reason
from reference_read
where sex_reason is not null
union all
select row_number, 'row', null, same_as::varchar, left_out
from reference_read
where left_out is not null
union all
-- the sex is taken, but a radiograph of the same person says another: the two may be of different people
select distinct row_number, 'PatientSex', sex_text, reference_read.PatientSex, 'differs from a radiograph'
from reference_read
inner join tested_radiographs
    on reference_read.patient_pseudonym = tested_radiographs.patient_pseudonym
where
    reference_read.left_out is null
    and reference_read.PatientSex in ('M', 'F')
    and tested_radiographs.PatientSex in ('M', 'F')
    and reference_read.PatientSex <> tested_radiographs.PatientSex;
