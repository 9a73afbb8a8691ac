-- grain: one row per bundle and person of the timeline (Fig. 4 of the paper): days before confirmation, which is day 0
-- needs: variable report_timeline_rows, how many persons are shown at most
--
-- Persons with the dates that it needs, those detected earliest first and those missed last. Of more persons than are shown, every so
-- many-th one is.
--
-- columns:
--   bundle_digest    digest of the bundle that answered
--   place            order from the top
--   of               persons who could be shown
--   detected         a radiograph was positive by the cascade
--   onset            band of the days from onset to the radiograph, as in lead_time_by_onset
--   onset_days       symptom onset, in days after confirmation (negative before); null where unknown
--   radiograph_days  first positive radiograph, or the first one where none was positive, in days after confirmation

create view report_timeline as
with dated as (
    select
        bundle_digest,
        detected,
        coalesce(onset_band(days_since_onset), 'unknown') as onset,
        symptom_onset_date - confirmation_date as onset_days,
        if(detected, first_positive_date, first_radiograph_date) - confirmation_date as radiograph_days,
        patient_pseudonym
    from lead_time
    where not dates_missing
),
placed as (
    select
        *,
        row_number() over (partition by bundle_digest order by detected desc, radiograph_days, onset_days nulls last, patient_pseudonym) as place,
        count(*) over (partition by bundle_digest) as of
    from dated
)
select bundle_digest, place, of, detected, onset, onset_days, radiograph_days
from placed
where place * getvariable('report_timeline_rows') // of > (place - 1) * getvariable('report_timeline_rows') // of or of <= getvariable('report_timeline_rows')
order by bundle_digest, place;
