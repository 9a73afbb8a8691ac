-- grain: one row per bundle, unit of analysis and unit that is linked with a test: what its radiographs say together on each question
-- example: select unit, count(*) as units, count(days_since_onset) as with_onset from judged_units group by unit order by unit
--
-- Units and questions: see judgements, which has the same in words, one row per question. Truths and calls are ranks, of which the highest
-- of a unit's radiographs counts, and scores are those of the radiographs whose truth is that of the unit: see unit_of.sql.
--
-- columns:
--   bundle_digest      digest of the bundle that answered
--   unit               unit of analysis: instance, study or patient
--   unit_id            object_id, StudyInstanceUID or patient_pseudonym; object_id where the unit's own is unknown
--   patient_pseudonym  its person
--   object_id          its first radiograph: of those that are linked and have the unit's truth by RT-PCR
--   undated            every link rests on an unknown date
--   radiograph_date    of its first radiograph
--   days_since_onset   from the first day of symptoms to its first radiograph, in days
--   PatientSex         of its first radiograph, as are the columns below
--   age_years          age in years
--   ViewPosition       PA, AP or another view
--   InstitutionName    the site
--   Manufacturer       of the X-ray machine
--   covid_truth        the whole cascade against RT-PCR: rank of the truth
--   covid_called       rank of the answer
--   covid_score        orders the units for the ROC curve; null without a definite truth
--   covid_value        probability, or score where the bundle has no calibration
--   pneumonia_truth    stage 2 against the radiologist's reading: rank of the truth
--   pneumonia_called   rank of the answer
--   pneumonia_score    orders the units for the ROC curve; null without a definite truth
--   pneumonia_value    probability, or score where the bundle has no calibration
--   gate_truth         stage 2 against RT-PCR: rank of the truth
--   gate_called        rank of the answer; 0 where the question does not arise
--   gate_score         orders the units for the ROC curve; null without a definite truth
--   gate_value         probability, or score where the bundle has no calibration
--   stage_3_truth      stage 3 against RT-PCR: rank of the truth
--   stage_3_called     rank of the answer; 0 where the question does not arise
--   stage_3_score      orders the units for the ROC curve; null without a definite truth
--   stage_3_value      probability, or score where the bundle has no calibration

create view judged_units as
with linked as (
    select
        radiographs.*,
        radiographs.radiograph_date - reference_verdicts.symptom_onset_date as days_since_onset,
        reference_verdicts.rt_pcr,
        reference_verdicts.reading,
        reference_verdicts.undated,
        rt_pcr in ('positive', 'negative') as definite
    from tested_radiographs as radiographs
    inner join reference_verdicts
        on radiographs.bundle_digest = reference_verdicts.bundle_digest and radiographs.object_id = reference_verdicts.object_id
    anti join duplicates
        on radiographs.bundle_digest = duplicates.bundle_digest and radiographs.object_id = duplicates.object_id
    union all by name
    -- without a reference table nobody is linked: see lead_time
    select no_reference('accuracy')::varchar as bundle_digest, no_reference('accuracy')::varchar as object_id
    where not needs_reference('accuracy')
),
-- what each radiograph brings to each question, such that the highest counts for its unit; numbers are grouped faster than long texts
radiographs as materialized (
    select
        * exclude (pneumonia_value, covid_value),
        coalesce(StudyInstanceUID, object_id) as study_id,
        coalesce(patient_pseudonym, object_id) as patient_id,
        hash(bundle_digest, object_id) as image_number,
        hash(bundle_digest, study_id) as study_number,
        hash(bundle_digest, patient_id) as patient_number,
        -- the first of a unit: of those with its truth, by date, and of one day by a number that does not depend on the order of the rows
        (3 - truth_rank(rt_pcr))::ubigint * 4611686018427387904
        + (coalesce(radiograph_date, date '9999-12-31') - date '0001-01-01')::ubigint * 1099511627776 + (image_number >> 24) as place,
        truth_rank(rt_pcr) as covid_truth,
        call_rank(covid_positive, rt_pcr) as covid_called,
        if(definite, cascade_rank(pneumonia_positive, pneumonia_rank, covid_rank), null) as covid_score,
        if(definite, threshold_value(pneumonia_positive, linked.covid_value), null) as covid_value,
        truth_rank(reading) as pneumonia_truth,
        call_rank(pneumonia_positive, reading) as pneumonia_called,
        if(reading is not null, pneumonia_rank, null) as pneumonia_score,
        if(reading is not null, linked.pneumonia_value, null) as pneumonia_value,
        if(pneumonia_positive is not null, truth_rank(rt_pcr), 0) as gate_truth,
        if(pneumonia_positive is not null, call_rank(pneumonia_positive, rt_pcr), 0) as gate_called,
        if(definite, pneumonia_rank, null) as gate_score,
        if(definite, linked.pneumonia_value, null) as gate_value,
        if(pneumonia_positive, truth_rank(rt_pcr), 0) as stage_3_truth,
        if(pneumonia_positive, call_rank(covid_positive, rt_pcr), 0) as stage_3_called,
        if(definite and pneumonia_positive, covid_rank, null) as stage_3_score,
        if(definite and pneumonia_positive, linked.covid_value, null) as stage_3_value
    from linked
),
joined as (
    select 'instance' as unit, image_number as first_number, undated, columns('_(truth|called)$'), columns('_(score|value)$')
    from radiographs
    union all
    select
        'study',
        arg_min(image_number, place),
        bool_and(undated),
        max(columns('_(truth|called)$')),
        highest_of_truth(covid_score, covid_truth),
        highest_of_truth(covid_value, covid_truth),
        highest_of_truth(pneumonia_score, pneumonia_truth),
        highest_of_truth(pneumonia_value, pneumonia_truth),
        highest_of_truth(gate_score, gate_truth),
        highest_of_truth(gate_value, gate_truth),
        highest_of_truth(stage_3_score, stage_3_truth),
        highest_of_truth(stage_3_value, stage_3_truth)
    from radiographs
    group by study_number
    union all
    select
        'patient',
        arg_min(image_number, place),
        bool_and(undated),
        max(columns('_(truth|called)$')),
        highest_of_truth(covid_score, covid_truth),
        highest_of_truth(covid_value, covid_truth),
        highest_of_truth(pneumonia_score, pneumonia_truth),
        highest_of_truth(pneumonia_value, pneumonia_truth),
        highest_of_truth(gate_score, gate_truth),
        highest_of_truth(gate_value, gate_truth),
        highest_of_truth(stage_3_score, stage_3_truth),
        highest_of_truth(stage_3_value, stage_3_truth)
    from radiographs
    group by patient_number
)
select
    first_of.bundle_digest,
    unit,
    case unit when 'instance' then first_of.object_id when 'study' then study_id else patient_id end as unit_id,
    patient_pseudonym,
    object_id,
    joined.undated,
    radiograph_date,
    days_since_onset,
    PatientSex,
    age_years,
    ViewPosition,
    InstitutionName,
    Manufacturer,
    joined.* exclude (unit, first_number, undated)
from joined
inner join radiographs as first_of
    on joined.first_number = first_of.image_number;
