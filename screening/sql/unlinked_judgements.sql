-- grain: one row per bundle, unit of analysis, question, cell and answer: how many units have no radiograph that is linked with a test
--
-- Units and questions: see judgements. Units are told apart by a 64-bit number made of their name, which is counted faster than a long
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
with images as materialized (
    select
        hash(instance_rows.bundle_digest) as bundle_number,
        hash(instance_rows.bundle_digest, coalesce(StudyInstanceUID, instance_rows.object_id)) as study_number,
        hash(instance_rows.bundle_digest, coalesce(patient_pseudonym, instance_rows.object_id)) as patient_number,
        covid_positive,
        pneumonia_positive,
        reference_verdicts.object_id is not null as linked
    from instance_rows
    anti join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
    left join reference_verdicts
        on instance_rows.bundle_digest = reference_verdicts.bundle_digest and instance_rows.object_id = reference_verdicts.object_id
    where needs_reference('accuracy')
),
of_units as (
    select
        bundle_number,
        'instance' as unit,
        covid_positive as covid,
        pneumonia_positive as gate,
        covid_positive and pneumonia_positive as stage_3
    from images
    where not linked
    union all
    select
        bundle_number,
        'study',
        bool_or(covid_positive),
        bool_or(pneumonia_positive),
        bool_or(covid_positive) filter (pneumonia_positive)
    from images
    group by bundle_number, study_number
    having not bool_or(linked)
    union all
    select
        bundle_number,
        'patient',
        bool_or(covid_positive),
        bool_or(pneumonia_positive),
        bool_or(covid_positive) filter (pneumonia_positive)
    from images
    group by bundle_number, patient_number
    having not bool_or(linked)
),
counted as (
    select bundle_number, unit, covid, gate, stage_3, count(*) as units
    from of_units
    group by bundle_number, unit, covid, gate, stage_3
),
asked as (
    select bundle_number, unit, 'covid' as question, covid as called, units
    from counted
    union all
    select bundle_number, unit, 'pneumonia', gate, units
    from counted
    where exists (select 1 from reference where reading is not null)
    union all
    select bundle_number, unit, 'gate', gate, units
    from counted
    where gate is not null
    union all
    select bundle_number, unit, 'stage_3', stage_3, units
    from counted
    where gate
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
