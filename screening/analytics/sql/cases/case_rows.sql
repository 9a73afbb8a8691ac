-- grain: one row per row of a cases file: its cells read
-- needs: the table case_texts, one row per row of a file, cells as text; variable call_threshold, null to take the files' own calls alone
--
-- A dash as a label or a call is negative where other cells of its column are a plus; elsewhere it is an empty cell, for many write so
-- that there is nothing.
--
-- columns:
--   bundle_digest       stands for the file: SHA-256 over its name and bytes
--   object_url          the file, # and the number of the row
--   case_row            number of the row in its file, from 1 after the header
--   object_id           key of the row
--   case_id             the person; the row stands for a person of its own where the file names none
--   result              positive, negative or indeterminate by the label; null where there is none
--   covid_score         the product's answer as a number, higher means more positive
--   covid_positive      the product's call, or covid_score at or above call_threshold
--   pneumonia_score     its answer for pneumonia of any kind
--   pneumonia_positive  its call for pneumonia of any kind
--   radiograph_date     day of the radiograph
--   symptom_onset_date  first day of symptoms
--   specimen_date       day on which the RT-PCR specimen was taken
--   result_date         day on which the RT-PCR result was reported
--   reading             normal, pneumonia or covid by a radiologist
--   PatientSex          M, F or O
--   age_years           age in years
--   ViewPosition        PA, AP or another word for the view
--   InstitutionName     the site
--   Manufacturer        of the X-ray machine
--   unread              names of the columns that hold something that means nothing
--   impossible          dates that cannot be true, in words: as in the reference table, and radiographs in the future

create table case_rows as
with texts as materialized (
    select
        * replace (
            day_text(radiograph_date) as radiograph_date,
            day_text(symptom_onset_date) as symptom_onset_date,
            day_text(specimen_date) as specimen_date,
            day_text(result_date) as result_date,
            known_text(covid_score) as covid_score,
            known_text(pneumonia_score) as pneumonia_score,
            known_text(age_years) as age_years
        ),
        lower(known_text(label)) as label_word,
        lower(known_text(reading)) as reading_word,
        lower(known_text(PatientSex)) as sex_word,
        lower(known_text(covid_positive)) as covid_word,
        lower(known_text(pneumonia_positive)) as pneumonia_word
    from case_texts
),
signs as (
    select
        bundle_digest,
        bool_or(label_word = '+') as labels,
        bool_or(covid_word = '+') as covid_calls,
        bool_or(pneumonia_word = '+') as pneumonia_calls
    from texts
    group by bundle_digest
),
words as materialized (
    select
        texts.* replace (
            signed_word(label_word, signs.labels) as label_word,
            signed_word(covid_word, signs.covid_calls) as covid_word,
            signed_word(pneumonia_word, signs.pneumonia_calls) as pneumonia_word
        )
    from texts
    inner join signs
        on texts.bundle_digest = signs.bundle_digest
),
orders as (
    select
        bundle_digest,
        day_first(radiograph_date) as radiograph,
        day_first(symptom_onset_date) as onset,
        day_first(specimen_date) as specimen,
        day_first(result_date) as result
    from words
    group by bundle_digest
),
cells as (
    select
        words.bundle_digest,
        object_url,
        case_row,
        object_id,
        coalesce(known_text(case_id), 'row ' || case_row) as case_id,
        read_result(label_word) as result,
        try_cast(words.covid_score as double) as covid_score,
        case
            when covid_word in ('covid', 'positive', 'pos', '+', '1', '1.0', 'true', 't', 'yes', 'y') then true
            when covid_word in ('pneumonia', 'normal', 'negative', 'neg', '-', '0', '0.0', 'false', 'f', 'no', 'n') then false
        end as call,
        try_cast(words.pneumonia_score as double) as pneumonia_score,
        case
            when pneumonia_word in ('pneumonia', 'positive', 'pos', '+', '1', '1.0', 'true', 't', 'yes', 'y') then true
            when pneumonia_word in ('normal', 'negative', 'neg', '-', '0', '0.0', 'false', 'f', 'no', 'n') then false
        end as pneumonia_positive,
        read_date(words.radiograph_date, orders.radiograph) as radiograph_date,
        read_date(words.symptom_onset_date, orders.onset) as symptom_onset_date,
        read_date(words.specimen_date, orders.specimen) as specimen_date,
        read_date(words.result_date, orders.result) as result_date,
        if(reading_word in ('normal', 'pneumonia', 'covid'), reading_word, null) as reading,
        read_sex(sex_word) as PatientSex,
        try_cast(rtrim(words.age_years, 'yY') as float) as age_years,
        words as given,
        known_text(words.ViewPosition) as ViewPosition,
        known_text(words.InstitutionName) as InstitutionName,
        known_text(words.Manufacturer) as Manufacturer
    from words
    inner join orders
        on words.bundle_digest = orders.bundle_digest
)
select
    bundle_digest,
    object_url,
    case_row,
    object_id,
    case_id,
    result,
    covid_score,
    coalesce(call, covid_score >= getvariable('call_threshold')::double) as covid_positive,
    pneumonia_score,
    pneumonia_positive,
    radiograph_date,
    symptom_onset_date,
    specimen_date,
    result_date,
    reading,
    PatientSex,
    age_years,
    ViewPosition,
    InstitutionName,
    Manufacturer,
    list_filter(
        [
            if(given.label_word is not null and result is null, 'label', null),
            if(given.covid_score is not null and covid_score is null, 'covid_score', null),
            if(given.covid_word is not null and call is null, 'covid_positive', null),
            if(given.pneumonia_score is not null and pneumonia_score is null, 'pneumonia_score', null),
            if(given.pneumonia_word is not null and pneumonia_positive is null, 'pneumonia_positive', null),
            if(given.radiograph_date is not null and radiograph_date is null, 'radiograph_date', null),
            if(given.symptom_onset_date is not null and symptom_onset_date is null, 'symptom_onset_date', null),
            if(given.specimen_date is not null and specimen_date is null, 'specimen_date', null),
            if(given.result_date is not null and result_date is null, 'result_date', null),
            if(given.reading_word is not null and reading is null, 'reading', null),
            if(given.sex_word not in ('u', 'unknown') and PatientSex is null, 'PatientSex', null),
            if(given.age_years is not null and age_years is null, 'age_years', null)
        ],
        lambda name: name is not null
    ) as unread,
    list_filter(
        [
            'radiograph_date ' || future_fault(radiograph_date),
            'symptom_onset_date ' || day_fault(symptom_onset_date),
            'specimen_date ' || day_fault(specimen_date),
            'result_date ' || day_fault(result_date),
            order_fault(specimen_date, result_date)
        ],
        lambda fault: fault is not null
    ) as impossible
from cells;
