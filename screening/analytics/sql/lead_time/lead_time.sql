-- grain: one row per bundle and person with a positive RT-PCR test that is linked with a scored radiograph
--
-- Lead time: days from our first positive radiograph to the RT-PCR confirmation of the same person, positive when ours came first.
-- A person whose radiographs were all negative has none, however early they were taken.
--
-- columns:
--   bundle_digest          digest of the bundle that answered
--   patient_pseudonym      the person
--   detected               a radiograph was positive by the cascade
--   symptom_onset_date     first day of symptoms
--   first_radiograph_date  of the radiographs linked with a positive test, the first with a date
--   first_positive_date    the first positive one of them with a date; null where none was positive
--   confirmation_date      result_date of the first positive test
--   lead_days              confirmation_date less first_positive_date, in days; null where not detected or a date is missing
--   dates_missing          the confirmation date is missing, or that of the first (detected: first positive) radiograph
--   timing                 of the first positive radiograph: before, same day or after confirmation; dates missing; or missed
--   days_since_onset       from symptom_onset_date to the first positive radiograph, or to the first where none was positive, in days
--   radiographs            scored ones that are linked with a positive test
--   radiographs_after      of these, taken after confirmation

create view lead_time as
with radiographs as (
    select
        links.bundle_digest,
        links.patient_pseudonym,
        links.object_id,
        any_value(covid_positive) as covid_positive,
        any_value(radiograph_date) as radiograph_date,
        min(symptom_onset_date) as symptom_onset_date,
        min(result_date) as result_date
    from links
    anti join duplicates
        on links.bundle_digest = duplicates.bundle_digest and links.object_id = duplicates.object_id
    where result = 'positive' and outcome = 'scored'
    group by links.bundle_digest, links.patient_pseudonym, links.object_id
),
confirmed as (
    select *, min(result_date) over (partition by bundle_digest, patient_pseudonym) as confirmation_date
    from radiographs
),
persons as (
    select
        bundle_digest,
        patient_pseudonym,
        coalesce(bool_or(covid_positive), false) as detected,
        min(symptom_onset_date) as symptom_onset_date,
        min(radiograph_date) as first_radiograph_date,
        min(radiograph_date) filter (covid_positive) as first_positive_date,
        any_value(confirmation_date) as confirmation_date,
        count(*) as radiographs,
        count(*) filter (radiograph_date > confirmation_date) as radiographs_after
    from confirmed
    group by bundle_digest, patient_pseudonym
),
guarded as (
    select * from persons
    union all by name
    -- without a reference table nobody is linked: every column of this row is the error, so that no filter can hide it
    select
        no_reference('lead_time')::varchar as bundle_digest,
        no_reference('lead_time')::varchar as patient_pseudonym,
        no_reference('lead_time')::boolean as detected,
        no_reference('lead_time')::date as symptom_onset_date,
        no_reference('lead_time')::date as first_radiograph_date,
        no_reference('lead_time')::date as first_positive_date,
        no_reference('lead_time')::date as confirmation_date,
        no_reference('lead_time')::bigint as radiographs,
        no_reference('lead_time')::bigint as radiographs_after
    where not needs_reference('lead_time')
),
dated as (
    select
        *,
        confirmation_date - first_positive_date as lead_days,
        confirmation_date is null or if(detected, first_positive_date, first_radiograph_date) is null as dates_missing
    from guarded
)
select
    bundle_digest,
    patient_pseudonym,
    detected,
    symptom_onset_date,
    first_radiograph_date,
    first_positive_date,
    confirmation_date,
    lead_days,
    dates_missing,
    case
        when not detected then 'missed'
        when lead_days is null then 'dates missing'
        when lead_days > 0 then 'before'
        when lead_days = 0 then 'same day'
        else 'after'
    end as timing,
    if(detected, first_positive_date, first_radiograph_date) - symptom_onset_date as days_since_onset,
    radiographs,
    radiographs_after
from dated
order by bundle_digest, lead_days desc nulls last, patient_pseudonym;
