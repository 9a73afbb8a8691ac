-- grain: one row per bundle, question and person: the judgement of the person, kept, for every chart of the report asks for it
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   question       covid, stage_3 or pneumonia: see judgements
--   cell           tp, fp, fn, tn, indeterminate, unverified or not_scored
--   called         positive by the answer; null where nothing was scored
--   score          orders the persons for the ROC curve
--   threshold      the score or probability that a threshold is put at; null where stage 3 was not reached by way of stage 2

create table report_persons as
select
    bundle_digest,
    question,
    cell,
    called,
    score,
    if(question = 'covid' and score < -500000, null, value) as threshold
from judgements
where unit = 'patient' and question in ('covid', 'stage_3', 'pneumonia');
