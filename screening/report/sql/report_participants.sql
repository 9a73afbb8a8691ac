-- grain: one row per bundle, characteristic and category of it: its persons, scored or not, and what the reference standard says of them
-- Characteristics are those of a person's first radiograph for which they are known. Categories are ordered by value or name, and not by
-- size, because the place of a category that is held back would tell its size.
--
-- columns:
--   bundle_digest   digest of the bundle that answered
--   characteristic  age, sex, days since onset, view, site or vendor
--   category        e.g. 40 to 64; unknown where it is not known
--   persons         how many there are; an object without a pseudonym counts as one
--   positive        of them, positive by RT-PCR
--   negative        of them, negative by RT-PCR

create view report_participants as
with persons as (
    select
        bundle_digest,
        coalesce(patient_pseudonym, object_id) as person,
        bool_or(rt_pcr = 'positive') as positive,
        bool_or(rt_pcr = 'negative') as negative,
        arg_min(age_years, coalesce(radiograph_date, date '9999-12-31')) as age_years,
        arg_min(PatientSex, coalesce(radiograph_date, date '9999-12-31')) as sex,
        arg_min(days_since_onset, coalesce(radiograph_date, date '9999-12-31')) as days_since_onset,
        arg_min(ViewPosition, coalesce(radiograph_date, date '9999-12-31')) as view,
        arg_min(InstitutionName, coalesce(radiograph_date, date '9999-12-31')) as site,
        arg_min(Manufacturer, coalesce(radiograph_date, date '9999-12-31')) as vendor
    from verdicts
    where counts
    group by bundle_digest, person
),
characterised as (
    select
        bundle_digest,
        positive,
        negative,
        unnest([
            {'place': 1, 'characteristic': 'age', 'category': age_band(age_years), 'value': age_years::double},
            {'place': 2, 'characteristic': 'sex', 'category': sex, 'value': null},
            {
                'place': 3,
                'characteristic': 'days since onset',
                'category': onset_band(days_since_onset),
                'value': days_since_onset::double
            },
            {'place': 4, 'characteristic': 'view', 'category': view, 'value': null},
            {'place': 5, 'characteristic': 'site', 'category': site, 'value': null},
            {'place': 6, 'characteristic': 'vendor', 'category': vendor, 'value': null}
        ], recursive := true)
    from persons
)
select
    bundle_digest,
    characteristic,
    coalesce(category, 'unknown') as category,
    count(*) as persons,
    count(*) filter (positive) as positive,
    count(*) filter (negative and not coalesce(positive, false)) as negative
from characterised
group by bundle_digest, place, characteristic, coalesce(category, 'unknown')
order by bundle_digest, place, coalesce(category, 'unknown') = 'unknown', min(value) nulls last, coalesce(category, 'unknown');
