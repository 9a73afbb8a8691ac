-- grain: one row per bundle, or file of cases, that has rows
-- needs: the table bundle_names, a name for each file of cases
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   name           of the file of cases; else the first 12 digits of the digest, as in the folders' names
--   objects        instance rows

create view bundles as
select instance_rows.bundle_digest, coalesce(any_value(bundle_names.name), instance_rows.bundle_digest[:12]) as name, count(*) as objects
from instance_rows
left join bundle_names
    on instance_rows.bundle_digest = bundle_names.bundle_digest
group by instance_rows.bundle_digest
order by instance_rows.bundle_digest;
