-- grain: one row per pair of bundles, unit of analysis, question and truth: two answers on the same units
-- example: select truth, only_first, only_second, difference, p from paired_accuracy where unit = 'patient' and question = 'covid'
--
-- Units that both bundles scored and the reference standard speaks of. truth positive compares sensitivities, negative specificities.
--
-- columns:
--   bundle_digest  the first of the two, by digest
--   other_digest   the second
--   unit           unit of analysis: instance, study or patient
--   question       covid, pneumonia, gate or stage_3
--   truth          positive or negative by the reference standard
--   n              units
--   both_right     answered rightly by both
--   only_first     rightly by the first alone
--   only_second    rightly by the second alone
--   neither_right  rightly by neither
--   k              rightly by the first
--   share          k / n: sensitivity or specificity of the first, in [0, 1]
--   low            lower limit of its 95 % Wilson interval
--   high           upper limit
--   other_k        rightly by the second
--   other_share    other_k / n, in [0, 1]
--   other_low      lower limit of its 95 % Wilson interval
--   other_high     upper limit
--   difference     share less other_share
--   difference_low   lower limit of its 95 % interval (Newcombe 1998, method 10)
--   difference_high  upper limit
--   p              of McNemar's exact test, two-sided

create view paired_accuracy as
with definite as materialized (
    select bundle_digest, unit, question, hash(unit, question, unit_id) as unit_number, truth, cell in ('tp', 'tn') as right_answer
    from judgements
    where cell in ('tp', 'fp', 'fn', 'tn')
    union all
    -- without a reference table: see lead_time
    select
        no_reference('paired_accuracy')::varchar as bundle_digest,
        no_reference('paired_accuracy')::varchar as unit,
        no_reference('paired_accuracy')::varchar as question,
        no_reference('paired_accuracy')::ubigint as unit_number,
        no_reference('paired_accuracy')::varchar as truth,
        no_reference('paired_accuracy')::boolean as right_answer
    where not needs_reference('paired_accuracy')
),
pairs as (
    select
        one.bundle_digest,
        two.bundle_digest as other_digest,
        one.unit,
        one.question,
        one.truth,
        count(*) as n,
        count(*) filter (one.right_answer and two.right_answer) as both_right,
        count(*) filter (one.right_answer and not two.right_answer) as only_first,
        count(*) filter (not one.right_answer and two.right_answer) as only_second,
        count(*) filter (not one.right_answer and not two.right_answer) as neither_right
    -- with one bundle there is nothing to join
    from (select * from definite where bundle_digest < (select max(bundle_digest) from bundles)) as one
    inner join (select * from definite where bundle_digest > (select min(bundle_digest) from bundles)) as two
        on one.unit_number = two.unit_number and one.truth = two.truth
        and one.bundle_digest < two.bundle_digest
    group by one.bundle_digest, two.bundle_digest, one.unit, one.question, one.truth
)
select
    *,
    both_right + only_first as k,
    (both_right + only_first) / n as share,
    wilson_low(both_right + only_first, n) as low,
    wilson_high(both_right + only_first, n) as high,
    both_right + only_second as other_k,
    (both_right + only_second) / n as other_share,
    wilson_low(both_right + only_second, n) as other_low,
    wilson_high(both_right + only_second, n) as other_high,
    (only_first - only_second) / n as difference,
    paired_low(both_right, only_first, only_second, neither_right) as difference_low,
    paired_high(both_right, only_first, only_second, neither_right) as difference_high,
    mcnemar_exact(only_first, only_second) as p
from pairs
order by bundle_digest, other_digest, question, unit, truth desc;
