-- grain: one row per object and bundle, as the run wrote it
-- example: select outcome, reason, count(*) as objects from instance_rows group by all order by objects desc
-- needs: variable instance_files, the list of the committed Parquet parts

create view instance_rows as
select *
from read_parquet(getvariable('instance_files'), hive_partitioning = false);
