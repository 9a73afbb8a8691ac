-- grain: one row per row of a cases file, as an instance row: one radiograph, answered as far as the file says
-- needs: the table no_instances, every column of an instance row and no rows
--
-- A row with neither a call nor a score is a failed one. Columns that a file cannot have are null.

create view case_instances as
from no_instances
union all by name
select
    bundle_digest,
    radiograph_date as screen_date,
    bundle_digest[:16] as shard_id,
    object_id,
    object_url,
    if(covid_positive is null and covid_score is null, 'failed', 'scored') as outcome,
    if(covid_positive is null and covid_score is null, 'the row has neither a call nor a score', null) as detail,
    if(covid_positive is null and covid_score is null, 'index', 'covid') as stage_reached,
    case_id as patient_pseudonym,
    radiograph_date as StudyDate,
    ViewPosition,
    PatientSex,
    age_years,
    InstitutionName,
    Manufacturer,
    pneumonia_score,
    pneumonia_positive,
    covid_score,
    covid_positive
from case_rows;
