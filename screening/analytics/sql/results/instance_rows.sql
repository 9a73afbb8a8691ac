-- grain: one row per object and bundle, as the run wrote it
-- needs: variable instance_files, the list of the committed Parquet parts, and among them one that has every column of this version: parts of
-- earlier versions lack some, and their rows have null there

create view instance_rows as
select *
from read_parquet(getvariable('instance_files'), hive_partitioning = false, union_by_name = true);
