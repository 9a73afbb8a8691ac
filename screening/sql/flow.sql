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
        unnest([
            {'step': 1, 'box': 'objects found', 'images': sum(found), 'patients': count(patient_pseudonym) filter (found > 0)},
            {'step': 2, 'box': 'rejected', 'images': sum(rejected), 'patients': count(patient_pseudonym) filter (rejected > 0)},
            {'step': 3, 'box': 'failed', 'images': sum(failed), 'patients': count(patient_pseudonym) filter (failed > 0)},
            {'step': 4, 'box': 'scored', 'images': sum(scored), 'patients': count(patient_pseudonym) filter (scored > 0)},
            {'step': 5, 'box': 'second copies', 'images': sum(copies), 'patients': count(patient_pseudonym) filter (copies > 0)},
            {'step': 6, 'box': 'radiographs that count', 'images': sum(radiographs),
                'patients': count(patient_pseudonym) filter (radiographs > 0)},
            {'step': 7, 'box': 'pneumonia negative', 'images': sum(pneumonia_negative),
                'patients': count(patient_pseudonym) filter (pneumonia_negative > 0)},
            {'step': 8, 'box': 'audit sample', 'images': sum(audited), 'patients': count(patient_pseudonym) filter (audited > 0)},
            {'step': 9, 'box': 'pneumonia positive', 'images': sum(pneumonia_positive),
                'patients': count(patient_pseudonym) filter (pneumonia_positive > 0)},
            {'step': 10, 'box': 'reached stage 3', 'images': sum(stage_3), 'patients': count(patient_pseudonym) filter (stage_3 > 0)},
            {'step': 11, 'box': 'covid positive', 'images': sum(covid_positive),
                'patients': count(patient_pseudonym) filter (covid_positive > 0)},
            {'step': 12, 'box': 'linked with a test', 'images': sum(linked), 'patients': count(patient_pseudonym) filter (linked > 0)},
            {'step': 13, 'box': 'reference positive', 'images': sum(reference_positive),
                'patients': count(patient_pseudonym) filter (reference_positive > 0)},
            {'step': 14, 'box': 'reference negative', 'images': sum(reference_negative),
                'patients': count(patient_pseudonym) filter (reference_negative > 0)},
            {'step': 15, 'box': 'reference indeterminate', 'images': sum(reference_indeterminate),
                'patients': count(patient_pseudonym) filter (reference_indeterminate > 0)},
            {'step': 16, 'box': 'unverified', 'images': sum(unverified), 'patients': count(patient_pseudonym) filter (unverified > 0)}
        ], recursive := true)
    from per_patient
    group by bundle_digest
),
counted as (
    select bundle_digest, step, box, null as reason, images::bigint as images, patients
    from boxes
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
