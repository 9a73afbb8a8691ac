-- grain: one row per bundle, or file of cases, that has rows
-- example: select name, bundle_digest from bundles order by name
-- needs: the tables bundle_rows, how many rows each bundle has, which were counted when the results were opened, and bundle_names, a name
-- for each file of cases
--
-- columns:
--   bundle_digest  digest of the bundle that answered
--   name           of the file of cases; else the first 12 digits of the digest, as in the folders' names
--   objects        instance rows

create view bundles as
select bundle_rows.bundle_digest, coalesce(bundle_names.name, bundle_rows.bundle_digest[:12]) as name, bundle_rows.objects
from bundle_rows
left join bundle_names
    on bundle_rows.bundle_digest = bundle_names.bundle_digest
order by bundle_rows.bundle_digest;
