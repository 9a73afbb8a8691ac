-- grain: one row per heatmap image
-- example: select kind, count(*) as images from heatmaps group by kind order by kind

create view heatmaps as
select bundle_digest, object_id, 'lungs' as kind, lung_mask_url as heatmap_url
from instance_rows
where lung_mask_url is not null
union all
select bundle_digest, object_id, 'pneumonia', pneumonia_heatmap_url
from instance_rows
where pneumonia_heatmap_url is not null
union all
select bundle_digest, object_id, 'covid', covid_heatmap_url
from instance_rows
where covid_heatmap_url is not null
union all
select bundle_digest, object_id, 'guided', covid_guided_url
from instance_rows
where covid_guided_url is not null;
