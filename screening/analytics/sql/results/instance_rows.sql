-- grain: one row per object and bundle, as the run wrote it
-- needs: variable instance_files, the list of the committed Parquet parts

create view instance_rows as
select *
from read_parquet(getvariable('instance_files'), hive_partitioning = false);
