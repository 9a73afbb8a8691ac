-- grain: one row per bundle, answer of the index test and verdict of the reference standard: where the flow of participants ends
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   answer         pneumonia negative, covid negative (pneumonia positive) or covid positive
--   verdict        positive, negative, indeterminate or unverified; null where no reference table was given
--   images         radiographs that count
--   patients       persons with such a radiograph, as far as their pseudonym is known

create view report_ends as
select
    bundle_digest,
    case when covid_positive then 'covid positive' when pneumonia_positive then 'covid negative' else 'pneumonia negative' end as answer,
    if(getvariable('has_reference'), coalesce(rt_pcr, 'unverified'), null) as verdict,
    count(*) as images,
    count(distinct patient_pseudonym) as patients
from verdicts
where counts and outcome = 'scored'
group by all
order by all;
