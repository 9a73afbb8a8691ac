-- grain: one row per bundle and truth: what stage 2 holds back although stage 3 would have called it, estimated from the audit sample
--
-- Unit of analysis: radiograph. The audit sample is a seeded draw among the negatives of stage 2 that stage 3 judges too. Each audited radiograph
-- stands for negatives / audited radiographs of the same night and truth (inverse-probability weighting by the sample's share).
-- Stage 3 would have called it at or above the row's own operating point; in rows of earlier versions, which lack it, the lowest value that it
-- called in the bundle's rows. Null where nothing was audited.
--
-- columns:
--   bundle_digest    digest of the bundle that answered
--   truth            by RT-PCR: positive, negative, indeterminate or unverified
--   judged           radiographs that stage 2 judged
--   held_back        of them, negative in stage 2
--   audited          of these, drawn for the audit sample
--   audited_called   of these, at or above the stage-3 operating point
--   covered          of held_back, from a night with an audited radiograph of this truth: what the estimate speaks of
--   share            estimated share of what stage 2 holds back that stage 3 would have called, in [0, 1]
--   low              lower limit of the 95 % Wilson interval, with Kish's effective number of audited radiographs
--   high             upper limit
--   lost             share times held_back: radiographs
--   lost_low         lower limit
--   lost_high        upper limit
--   share_of_judged  lost / judged, in [0, 1]: where truth is positive, the sensitivity that the gate costs the cascade

create view gate_loss as
with judged as materialized (
    select
        instance_rows.bundle_digest,
        screen_date,
        coalesce(rt_pcr, 'unverified') as truth,
        pneumonia_positive,
        audit_sample,
        covid_positive,
        coalesce(covid_probability, covid_score) as covid_value,
        covid_threshold
    from instance_rows
    anti join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
    left join reference_verdicts
        on instance_rows.bundle_digest = reference_verdicts.bundle_digest and instance_rows.object_id = reference_verdicts.object_id
    where pneumonia_positive is not null and needs_reference('gate_loss')
),
points as (
    select bundle_digest, min(covid_value) filter (covid_positive) as covid_point
    from judged
    group by bundle_digest
),
strata as (
    select
        judged.bundle_digest,
        truth,
        screen_date,
        count(*) as judged,
        count(*) filter (not pneumonia_positive) as held_back,
        count(*) filter (not pneumonia_positive and audit_sample and covid_value is not null) as audited,
        count(*) filter (not pneumonia_positive and audit_sample and covid_value >= coalesce(covid_threshold, covid_point)) as audited_called,
        held_back / nullif(audited, 0) as weight
    from judged
    inner join points
        on judged.bundle_digest = points.bundle_digest
    group by judged.bundle_digest, truth, screen_date
),
estimated as (
    select
        bundle_digest,
        truth,
        sum(judged)::bigint as judged,
        sum(held_back)::bigint as held_back,
        sum(audited)::bigint as audited,
        sum(audited_called)::bigint as audited_called,
        coalesce(sum(held_back) filter (audited > 0), 0)::bigint as covered,
        sum(audited_called * weight) / sum(audited * weight) as share,
        sum(audited * weight) ** 2 / sum(audited * weight ** 2) as effective_n
    from strata
    group by bundle_digest, truth
)
select
    bundle_digest,
    truth,
    judged,
    held_back,
    audited,
    audited_called,
    covered,
    share,
    wilson_low(share * effective_n, effective_n) as low,
    wilson_high(share * effective_n, effective_n) as high,
    share * held_back as lost,
    wilson_low(share * effective_n, effective_n) * held_back as lost_low,
    wilson_high(share * effective_n, effective_n) * held_back as lost_high,
    share * held_back / judged as share_of_judged
from estimated
order by bundle_digest, case truth when 'positive' then 1 when 'negative' then 2 when 'indeterminate' then 3 else 4 end;
