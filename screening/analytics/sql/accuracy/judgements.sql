-- grain: one row per bundle, unit of analysis, question and unit that is linked with a test: the answer, the truth, the cell of the 2×2
-- example: select cell, count(*) as persons from judgements where unit = 'patient' and question = 'covid' group by cell order by cell
--
-- unit: instance (one radiograph), study (StudyInstanceUID) or patient (patient_pseudonym). Second copies do not count. The reference standard
-- of a unit is positive when that of one of its radiographs is; else negative when one is; else indeterminate. The unit is called positive
-- when a radiograph with the same reference standard is: a person with a positive test is found by a radiograph that is positive by the
-- reference standard, so taken in an episode of that person, and by no other. Units are linked by the view link_rule; those
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
--   object_id          its first radiograph: of those that are linked and have the unit's reference standard
--   truth              positive, negative or indeterminate by the reference standard; null where unverified
--   called             positive by the answer, over the radiographs whose reference standard is the unit's; null where none was scored
--   score              orders the units for the ROC curve (covid: those stopped by stage 2 lie below all others); null without a definite truth
--   value              probability, or score where the bundle has no calibration; covid: null where stage 3 was not reached by way of stage 2
--   cell               tp, fp, fn, tn, indeterminate, unverified or not_scored
--   undated            every link rests on an unknown date
--   radiograph_date    of its first radiograph
--   days_since_onset   from the first day of symptoms to its first radiograph, in days
--   PatientSex         of its first radiograph, as are the columns below
--   age_years          age in years
--   ViewPosition       PA, AP or another view
--   InstitutionName    the site
--   Manufacturer       of the X-ray machine

create view judgements as
with units as materialized (
    from judged_units
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
    patient_pseudonym,
    object_id,
    ranked_truth(truth_of) as truth,
    ranked_call(called_of) as called,
    score,
    value,
    cell_of(truth, called) as cell,
    undated,
    radiograph_date,
    days_since_onset,
    PatientSex,
    age_years,
    ViewPosition,
    InstitutionName,
    Manufacturer
from answered;
