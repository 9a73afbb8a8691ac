-- grain: one row per bundle, unit of analysis, question and unit that is linked with a test: the answer, the truth, the cell of the 2×2
--
-- unit: instance (one radiograph), study (StudyInstanceUID) or patient (patient_pseudonym). A unit is positive when any of its verified
-- radiographs is, and so is its reference standard. Second copies do not count. Units are linked by the view link_rule; those
-- of which no radiograph is linked are counted by the view unlinked_judgements.
-- question:
--   covid      the whole cascade against RT-PCR
--   pneumonia  stage 2 against the radiologist's reading; only where the reference table has readings
--   gate       stage 2 against RT-PCR, over the radiographs that it judged: what may be lost before stage 3
--   stage_3    stage 3 against RT-PCR, over the radiographs that stage 2 let pass
--
-- columns:
--   bundle_digest      digest of the bundle that answered
--   unit               unit of analysis: instance, study or patient
--   question           covid, pneumonia, gate or stage_3
--   unit_id            object_id, StudyInstanceUID or patient_pseudonym; object_id where the unit's own is unknown
--   patient_pseudonym  its person
--   object_id          its first linked radiograph
--   truth              positive, negative or indeterminate by the reference standard; null where unverified
--   called             positive by the answer, over the radiographs that the reference standard speaks of; null where none was scored
--   score              orders the units for the ROC curve (covid: those stopped by stage 2 lie below all others); null without a definite truth
--   value              probability, or score where the bundle has no calibration; covid: null where stage 3 was not reached
--   cell               tp, fp, fn, tn, indeterminate, unverified or not_scored
--   undated            every link rests on an unknown date
--   radiograph_date    of the first linked radiograph
--   days_since_onset   from the first day of symptoms to the first linked radiograph, in days
--   PatientSex         of the first linked radiograph, as are the columns below
--   age_years          age in years
--   ViewPosition       PA, AP or another view
--   InstitutionName    the site
--   Manufacturer       of the X-ray machine

create view judgements as
with linked as (
    select *, rt_pcr in ('positive', 'negative') as definite
    from verdicts
    where rt_pcr is not null and counts
    union all by name
    -- without a reference table nobody is linked: see lead_time
    select no_reference('accuracy')::varchar as bundle_digest, no_reference('accuracy')::varchar as object_id
    where not needs_reference('accuracy')
),
-- what each radiograph brings to each question, such that the highest counts for its unit
radiographs as materialized (
    select
        bundle_digest,
        object_id,
        coalesce(StudyInstanceUID, object_id) as study_id,
        coalesce(patient_pseudonym, object_id) as patient_id,
        {
            'patient_pseudonym': patient_pseudonym,
            'object_id': object_id,
            'radiograph_date': radiograph_date,
            'days_since_onset': days_since_onset,
            'PatientSex': PatientSex,
            'age_years': age_years,
            'ViewPosition': ViewPosition,
            'InstitutionName': InstitutionName,
            'Manufacturer': Manufacturer
        } as radiograph,
        coalesce(radiograph_date, date '9999-12-31') as place,
        undated,
        truth_rank(rt_pcr) as covid_truth,
        call_rank(covid_positive, rt_pcr) as covid_called,
        if(definite, cascade_rank(pneumonia_positive, pneumonia_rank, covid_rank), null) as covid_score,
        if(definite, covid_value, null) as covid_value,
        truth_rank(reading) as pneumonia_truth,
        call_rank(pneumonia_positive, reading) as pneumonia_called,
        if(reading is not null, pneumonia_rank, null) as pneumonia_score,
        if(reading is not null, pneumonia_value, null) as pneumonia_value,
        if(pneumonia_positive is not null, truth_rank(rt_pcr), 0) as gate_truth,
        if(pneumonia_positive is not null, call_rank(pneumonia_positive, rt_pcr), 0) as gate_called,
        if(definite, pneumonia_rank, null) as gate_score,
        if(definite, pneumonia_value, null) as gate_value,
        if(pneumonia_positive, truth_rank(rt_pcr), 0) as stage_3_truth,
        if(pneumonia_positive, call_rank(covid_positive, rt_pcr), 0) as stage_3_called,
        if(definite and pneumonia_positive, covid_rank, null) as stage_3_score,
        if(definite and pneumonia_positive, covid_value, null) as stage_3_value
    from linked
),
units as materialized (
    select bundle_digest, 'instance' as unit, object_id as unit_id, radiograph, undated, columns('_(truth|called|score|value)$')
    from radiographs
    union all
    select
        bundle_digest,
        'study',
        study_id,
        arg_min(radiograph, place),
        bool_and(undated),
        max(columns('_(truth|called|score|value)$'))
    from radiographs
    group by bundle_digest, study_id
    union all
    select
        bundle_digest,
        'patient',
        patient_id,
        arg_min(radiograph, place),
        bool_and(undated),
        max(columns('_(truth|called|score|value)$'))
    from radiographs
    group by bundle_digest, patient_id
),
answered as (
    select *, 'covid' as question, covid_truth as truth_of, covid_called as called_of, covid_score as score, covid_value as value
    from units
    union all
    select *, 'pneumonia', pneumonia_truth, pneumonia_called, pneumonia_score, pneumonia_value
    from units
    where exists (select 1 from reference where reading is not null)
    union all
    select *, 'gate', gate_truth, gate_called, gate_score, gate_value
    from units
    where gate_called > 0
    union all
    select *, 'stage_3', stage_3_truth, stage_3_called, stage_3_score, stage_3_value
    from units
    where stage_3_called > 0
)
select
    bundle_digest,
    unit,
    question,
    unit_id,
    radiograph.patient_pseudonym,
    radiograph.object_id,
    ranked_truth(truth_of) as truth,
    ranked_call(called_of) as called,
    score,
    value,
    case
        when called is null then 'not_scored'
        when truth is null then 'unverified'
        when truth = 'indeterminate' then 'indeterminate'
        else if(called, if(truth = 'positive', 'tp', 'fp'), if(truth = 'positive', 'fn', 'tn'))
    end as cell,
    undated,
    radiograph.radiograph_date,
    radiograph.days_since_onset,
    radiograph.PatientSex,
    radiograph.age_years,
    radiograph.ViewPosition,
    radiograph.InstitutionName,
    radiograph.Manufacturer
from answered;
