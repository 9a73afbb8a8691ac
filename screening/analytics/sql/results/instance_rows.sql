-- grain: one row per object and bundle, as the run wrote it
-- example: select outcome, reason, count(*) as objects from instance_rows group by all order by objects desc
-- needs: variables instance_files, the list of the Parquet files with rows, and among them one that has every column of this version: parts
-- of earlier versions lack some, and their rows have null there; compacted_files, those of them that hold many shards; and replaced_shards,
-- night/shard_id of what of these a part answers anew

create view instance_rows as
select * exclude (filename)
from read_parquet(getvariable('instance_files'), filename = true, hive_partitioning = false, union_by_name = true)
where
    len(getvariable('replaced_shards')::varchar[]) = 0
    or not (
        list_contains(getvariable('compacted_files')::varchar[], filename)
        and list_contains(getvariable('replaced_shards')::varchar[], screen_date || '/' || shard_id)
    );
