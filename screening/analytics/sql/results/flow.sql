-- grain: one row per bundle and box of the flow of participants (STARD 2015, item 19), refusals with one box for each reason
-- example: select box, reason, images, patients from flow
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   step           place in the flow, from the top
--   box            what the box counts
--   reason         why images were rejected or failed; null for all reasons together and for the other boxes
--   images         images in the box; null for the boxes of the reference standard where no reference table was given
--   patients       persons with an image in the box, as far as their pseudonym is known

create view flow as
-- the boxes that an image is in, as bits of one number: box 1 is the lowest
with images as materialized (
    select
        instance_rows.bundle_digest,
        hash(patient_pseudonym) as patient_number,
        patient_pseudonym is not null as has_patient,
        duplicates.object_id is null as counts,
        outcome = 'scored' as is_scored,
        (
            1
            + if(outcome = 'rejected', 2, 0)
            + if(outcome = 'failed', 4, 0)
            + if(is_scored, 8, 0)
            + if(is_scored and not counts, 16, 0)
            + if(is_scored and counts, 32, 0)
            + if(not pneumonia_positive and counts, 64, 0)
            + if(audit_sample and counts, 128, 0)
            + if(pneumonia_positive and counts, 256, 0)
            + if(is_scored and stage_reached = 'covid' and counts, 512, 0)
            + if(covid_positive and counts, 1024, 0)
            + if(is_scored and counts and rt_pcr is not null, 2048, 0)
            + if(is_scored and counts and rt_pcr = 'positive', 4096, 0)
            + if(is_scored and counts and rt_pcr = 'negative', 8192, 0)
            + if(is_scored and counts and rt_pcr = 'indeterminate', 16384, 0)
            + if(is_scored and counts and rt_pcr is null, 32768, 0)
        )::usmallint as boxes
    from instance_rows
    left join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
    left join reference_verdicts
        on instance_rows.bundle_digest = reference_verdicts.bundle_digest and instance_rows.object_id = reference_verdicts.object_id
),
patients as (
    select bundle_digest, bit_or(boxes) as boxes
    from images
    where has_patient
    group by bundle_digest, patient_number
),
kinds as (
    select bundle_digest, boxes, count(*) as images, 0 as patients
    from images
    group by bundle_digest, boxes
    union all
    select bundle_digest, boxes, 0, count(*)
    from patients
    group by bundle_digest, boxes
),
names as (
    select unnest([
        'objects found', 'rejected', 'failed', 'scored', 'second copies', 'radiographs that count', 'pneumonia negative', 'audit sample',
        'pneumonia positive', 'reached stage 3', 'covid positive', 'linked with a test', 'reference positive', 'reference negative',
        'reference indeterminate', 'unverified'
    ]) as box, generate_subscripts(range(16), 1)::int as step
),
counted as (
    select
        bundle_digest,
        step,
        box,
        null as reason,
        coalesce(sum(images) filter ((boxes >> (step - 1)) & 1 = 1), 0)::bigint as images,
        coalesce(sum(patients) filter ((boxes >> (step - 1)) & 1 = 1), 0)::bigint as patients
    from kinds
    cross join names
    group by bundle_digest, step, box
    union all
    select bundle_digest, if(outcome = 'rejected', 2, 3), outcome, reason, count(*), count(distinct patient_pseudonym)
    from instance_rows
    where outcome <> 'scored'
    group by bundle_digest, outcome, reason
)
select
    bundle_digest,
    step,
    box,
    reason,
    if(step >= 12 and not getvariable('has_reference'), null, images) as images,
    if(step >= 12 and not getvariable('has_reference'), null, patients) as patients
from counted
order by bundle_digest, step, reason is not null, images desc, reason;
