-- grain: one row per bundle and number of days from the first positive radiograph to RT-PCR confirmation
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   lead_days      as in the view lead_time; null for persons who were not detected or lack a date
--   detected       a radiograph was positive by the cascade
--   dates_missing  a date that the lead time needs is missing
--   persons        how many

create view report_lead_days as
select bundle_digest, lead_days, detected, dates_missing, count(*) as persons
from lead_time
group by bundle_digest, lead_days, detected, dates_missing
order by bundle_digest, lead_days nulls last, detected, dates_missing;
