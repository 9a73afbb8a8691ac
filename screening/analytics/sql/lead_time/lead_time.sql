-- grain: one row per bundle and person with a positive RT-PCR test that is linked with a scored radiograph
-- example: select timing, count(*) as persons, median(lead_days) as median_days from lead_time group by timing order by timing
--
-- Lead time: days from our first positive radiograph to the RT-PCR confirmation of the same episode of the person, positive when ours came
-- first. Radiographs take part that are scored, that count and that are positive by the reference standard (see reference_verdicts). Each
-- belongs to the episode of the positive tests that it is linked with, of several to the first; see episodes. These are the radiographs that
-- a person with a positive test is judged by in the view judgements, so that both say the same of who is found.
--
-- A person of several episodes stands here with the one in which the first positive radiograph was taken, or with the first of all where no
-- radiograph was positive. A person whose radiographs were all negative has no lead time, however early they were taken.
--
-- columns:
--   bundle_digest          digest of the bundle that answered
--   patient_pseudonym      the person
--   episode                number of the episode in the order of time, from 1
--   detected               a radiograph was positive by the cascade
--   symptom_onset_date     first day of symptoms
--   first_radiograph_date  of the episode's radiographs, the first with a date
--   first_positive_date    the first positive one of them with a date; null where none was positive
--   confirmation_date      first day on which a positive result of the episode was reported; null where that of its first test is unknown
--   lead_days              confirmation_date less first_positive_date, in days; null where not detected or a date is missing
--   lead_days_at_least     where the confirmation date alone is missing: confirmed_from of the episode less first_positive_date, in days
--   dates_missing          the confirmation date is missing, or that of the first (detected: first positive) radiograph
--   timing                 of the first positive radiograph: before, same day or after confirmation; dates missing; or missed
--   days_since_onset       from symptom_onset_date to the first positive radiograph, or to the first where none was positive, in days
--   radiographs            of the episode: scored ones that are positive by the reference standard
--   radiographs_after      of these, taken after confirmation

create view lead_time as
with radiographs as (
    select
        links.bundle_digest,
        links.patient_pseudonym,
        links.object_id,
        any_value(links.covid_positive) as covid_positive,
        any_value(links.radiograph_date) as radiograph_date,
        min(links.symptom_onset_date) as symptom_onset_date,
        min(episodes.episode) as episode,
        arg_min_null(episodes.confirmation_date, episodes.episode) as confirmation_date,
        arg_min_null(episodes.confirmed_from, episodes.episode) as confirmed_from
    from links
    inner join reference_verdicts
        on links.bundle_digest = reference_verdicts.bundle_digest and links.object_id = reference_verdicts.object_id
    inner join episodes
        on links.patient_pseudonym = episodes.patient_pseudonym
    anti join duplicates
        on links.bundle_digest = duplicates.bundle_digest and links.object_id = duplicates.object_id
    where
        links.result = 'positive' and links.outcome = 'scored' and rt_pcr = 'positive'
        and (episodes.bundle_digest is null or episodes.bundle_digest = links.bundle_digest)
        and (links.test_date between first_test_date and last_test_date or (links.test_date is null and first_test_date is null))
    group by links.bundle_digest, links.patient_pseudonym, links.object_id
),
of_episodes as (
    select
        bundle_digest,
        patient_pseudonym,
        episode,
        coalesce(bool_or(covid_positive), false) as detected,
        min(symptom_onset_date) as symptom_onset_date,
        min(radiograph_date) as first_radiograph_date,
        min(radiograph_date) filter (covid_positive) as first_positive_date,
        any_value(confirmation_date) as confirmation_date,
        any_value(confirmed_from) as confirmed_from,
        count(*) as radiographs,
        count(*) filter (radiograph_date > confirmation_date) as radiographs_after
    from radiographs
    group by bundle_digest, patient_pseudonym, episode
),
persons as (
    select *
    from of_episodes
    qualify row_number() over (
        partition by bundle_digest, patient_pseudonym
        order by detected desc, first_positive_date nulls last, episode
    ) = 1
),
guarded as (
    select * from persons
    union all by name
    -- without a reference table nobody is linked: every column of this row is the error, so that no filter can hide it
    select
        no_reference('lead_time')::varchar as bundle_digest,
        no_reference('lead_time')::varchar as patient_pseudonym,
        no_reference('lead_time')::bigint as episode,
        no_reference('lead_time')::boolean as detected,
        no_reference('lead_time')::date as symptom_onset_date,
        no_reference('lead_time')::date as first_radiograph_date,
        no_reference('lead_time')::date as first_positive_date,
        no_reference('lead_time')::date as confirmation_date,
        no_reference('lead_time')::date as confirmed_from,
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
    episode,
    detected,
    symptom_onset_date,
    first_radiograph_date,
    first_positive_date,
    confirmation_date,
    lead_days,
    if(confirmation_date is null, confirmed_from - first_positive_date, null) as lead_days_at_least,
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
