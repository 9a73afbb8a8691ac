-- grain: one row per RT-PCR test: a row of the reference table that is used, as it is read

create view reference as
select patient_pseudonym, symptom_onset_date, specimen_date, result_date, result, reading
from reference_read
where left_out is null;
