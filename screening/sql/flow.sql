-- grain: one row per bundle and box of the flow of participants (STARD 2015, item 19), refusals with one box for each reason
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   step           place in the flow, from the top
--   box            what the box counts
--   reason         why images were rejected or failed; null for all reasons together and for the other boxes
--   images         images in the box; null for the boxes of the reference standard where no reference table was given
--   patients       persons with an image in the box, as far as their pseudonym is known

create view flow as
with per_patient as (
    select
        bundle_digest,
        patient_pseudonym,
        count(*) as found,
        count(*) filter (outcome = 'rejected') as rejected,
        count(*) filter (outcome = 'failed') as failed,
        count(*) filter (outcome = 'scored') as scored,
        count(*) filter (outcome = 'scored' and not counts) as copies,
        count(*) filter (outcome = 'scored' and counts) as radiographs,
        count(*) filter (not pneumonia_positive and counts) as pneumonia_negative,
        count(*) filter (audit_sample and counts) as audited,
        count(*) filter (pneumonia_positive and counts) as pneumonia_positive,
        count(*) filter (outcome = 'scored' and stage_reached = 'covid' and counts) as stage_3,
        count(*) filter (covid_positive and counts) as covid_positive,
        count(*) filter (outcome = 'scored' and counts and rt_pcr is not null) as linked,
        count(*) filter (outcome = 'scored' and counts and rt_pcr = 'positive') as reference_positive,
        count(*) filter (outcome = 'scored' and counts and rt_pcr = 'negative') as reference_negative,
        count(*) filter (outcome = 'scored' and counts and rt_pcr = 'indeterminate') as reference_indeterminate,
        count(*) filter (outcome = 'scored' and counts and rt_pcr is null) as unverified
    from verdicts
    group by bundle_digest, patient_pseudonym
),
boxes as (
    select
        bundle_digest,
        patient_pseudonym,
        unnest([
            {'step': 1, 'box': 'objects found', 'images': found},
            {'step': 2, 'box': 'rejected', 'images': rejected},
            {'step': 3, 'box': 'failed', 'images': failed},
            {'step': 4, 'box': 'scored', 'images': scored},
            {'step': 5, 'box': 'second copies', 'images': copies},
            {'step': 6, 'box': 'radiographs that count', 'images': radiographs},
            {'step': 7, 'box': 'pneumonia negative', 'images': pneumonia_negative},
            {'step': 8, 'box': 'audit sample', 'images': audited},
            {'step': 9, 'box': 'pneumonia positive', 'images': pneumonia_positive},
            {'step': 10, 'box': 'reached stage 3', 'images': stage_3},
            {'step': 11, 'box': 'covid positive', 'images': covid_positive},
            {'step': 12, 'box': 'linked with a test', 'images': linked},
            {'step': 13, 'box': 'reference positive', 'images': reference_positive},
            {'step': 14, 'box': 'reference negative', 'images': reference_negative},
            {'step': 15, 'box': 'reference indeterminate', 'images': reference_indeterminate},
            {'step': 16, 'box': 'unverified', 'images': unverified}
        ], recursive := true)
    from per_patient
),
counted as (
    select
        bundle_digest,
        step,
        box,
        null as reason,
        sum(images)::bigint as images,
        count(patient_pseudonym) filter (images > 0) as patients
    from boxes
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
