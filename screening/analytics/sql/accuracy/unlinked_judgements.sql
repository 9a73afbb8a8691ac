-- grain: one row per bundle, unit of analysis, question, cell and answer: how many units have no linked radiograph that the question is about
-- example: select cell, called, units from unlinked_judgements where unit = 'patient' and question = 'covid'
--
-- Units and questions: see judgements. The questions gate and stage_3 are about the radiographs that stage 2 judged, and those that it let
-- pass: a person with a test whose linked radiographs were all stopped, and of whom stage 2 let another one pass, is unverified at stage 3. Units are told apart by a 64-bit number made of their name, which is counted faster than a long
-- text; among ten million units two share one with a chance of three in a million.
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   unit           unit of analysis: instance, study or patient
--   question       covid, pneumonia, gate or stage_3
--   cell           unverified, or not_scored where no radiograph was
--   called         positive by the answer; null where not scored
--   units          how many there are

create view unlinked_judgements as
-- what is known of each image in one number, of which a unit has every part that one of its images has: 1 linked; 2 judged by the cascade,
-- 4 called; 8 judged by stage 2, 16 called; 32 judged by stage 3, 64 called; 128 linked and judged by stage 2; 256 linked and called by it
with images as materialized (
    select
        hash(instance_rows.bundle_digest) as bundle_number,
        hash(instance_rows.bundle_digest, coalesce(StudyInstanceUID, instance_rows.object_id)) as study_number,
        hash(instance_rows.bundle_digest, coalesce(patient_pseudonym, instance_rows.object_id)) as patient_number,
        (
            if(reference_verdicts.object_id is null, 0, 1 + case when pneumonia_positive then 384 when pneumonia_positive is null then 0 else 128 end)
            + case when covid_positive then 6 when covid_positive is null then 0 else 2 end
            + case when pneumonia_positive then 24 when pneumonia_positive is null then 0 else 8 end
            + if(pneumonia_positive, case when covid_positive then 96 when covid_positive is null then 0 else 32 end, 0)
        )::usmallint as known
    from instance_rows
    anti join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
    left join reference_verdicts
        on instance_rows.bundle_digest = reference_verdicts.bundle_digest and instance_rows.object_id = reference_verdicts.object_id
    where needs_reference('accuracy')
),
studies as (
    select bundle_number, study_number, bit_or(known) as known
    from images
    group by bundle_number, study_number
),
patients as (
    select bundle_number, patient_number, bit_or(known) as known
    from images
    group by bundle_number, patient_number
),
counted as (
    select bundle_number, 'instance' as unit, known, count(*) as units
    from images
    group by bundle_number, known
    union all
    select bundle_number, 'study', known, count(*)
    from studies
    group by bundle_number, known
    union all
    select bundle_number, 'patient', known, count(*)
    from patients
    group by bundle_number, known
),
parts as (
    select
        bundle_number,
        unit,
        known & 1 > 0 as linked,
        known & 128 > 0 as gate_linked,
        known & 256 > 0 as stage_3_linked,
        if(known & 2 > 0, known & 4 > 0, null) as covid,
        if(known & 8 > 0, known & 16 > 0, null) as gate,
        if(known & 32 > 0, known & 64 > 0, null) as stage_3,
        units
    from counted
),
asked as (
    select bundle_number, unit, 'covid' as question, covid as called, units
    from parts
    where not linked
    union all
    select bundle_number, unit, 'pneumonia', gate, units
    from parts
    where not linked and exists (select 1 from reference where reading is not null)
    union all
    select bundle_number, unit, 'gate', gate, units
    from parts
    where gate is not null and not gate_linked
    union all
    select bundle_number, unit, 'stage_3', stage_3, units
    from parts
    where gate and not stage_3_linked
)
select
    bundle_digest,
    unit,
    question,
    if(called is null, 'not_scored', 'unverified') as cell,
    called,
    sum(units)::bigint as units
from asked
inner join bundles
    on bundle_number = hash(bundle_digest)
group by bundle_digest, unit, question, called;
