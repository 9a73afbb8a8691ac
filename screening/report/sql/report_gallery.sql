-- grain: one row per bundle and case worth looking at: a radiograph that was called rightly or wrongly, and why it was chosen
--
-- Of each person one radiograph. Of each kind the most certain ones and those nearest to the threshold, in turn.
--
-- columns:
--   bundle_digest          digest of the bundle that answered
--   object_id              key of the instance row
--   object_url             where the radiograph lies
--   screen_date            the night of the run that made the row
--   shard_id               the shard that the row was committed with
--   pixel_hash             of the preprocessed pixels
--   kind                   true positive, false positive or false negative
--   why                    why it was chosen
--   place                  order within the kind
--   pneumonia_score        stage 2: probability, or score where the stage is not calibrated
--   covid_score            stage 3: the same; null where it was not reached
--   pneumonia_heatmap_url  stage-2 class activation map
--   covid_heatmap_url      stage-3 Grad-CAM
--   covid_guided_url       stage-3 Guided Grad-CAM

create view report_gallery as
with cases as (
    select
        instances.bundle_digest,
        instances.object_id,
        instances.object_url,
        instances.screen_date,
        instances.shard_id,
        instances.pixel_hash,
        coalesce(instances.patient_pseudonym, instances.object_id) as person,
        instances.pneumonia_positive,
        coalesce(instances.pneumonia_probability, instances.pneumonia_score) as pneumonia_score,
        coalesce(instances.covid_probability, instances.covid_score) as covid_score,
        instances.pneumonia_heatmap_url,
        instances.covid_heatmap_url,
        instances.covid_guided_url,
        case
            when reference_verdicts.rt_pcr = 'positive' then if(instances.covid_positive, 'true positive', 'false negative')
            else 'false positive'
        end as kind
    from instances
    inner join reference_verdicts
        on instances.bundle_digest = reference_verdicts.bundle_digest and instances.object_id = reference_verdicts.object_id
    where
        instances.counts and instances.outcome = 'scored'
        and (reference_verdicts.rt_pcr = 'positive' or (reference_verdicts.rt_pcr = 'negative' and instances.covid_positive))
),
of_persons as (
    select *
    from cases
    qualify row_number() over (partition by bundle_digest, kind, person order by covid_score desc nulls last, object_id) = 1
),
ranked as (
    -- most certain: the highest score of a positive call, the lowest of a missed one
    select
        *,
        row_number() over (
            partition by bundle_digest, kind
            order by
                if(kind = 'false negative', pneumonia_positive::int, 0),
                if(kind = 'false negative', if(pneumonia_positive, covid_score, pneumonia_score), -covid_score),
                object_id
        ) as by_certainty,
        row_number() over (
            partition by bundle_digest, kind
            order by
                if(kind = 'false negative', -pneumonia_positive::int, 0),
                if(kind = 'false negative', if(pneumonia_positive, -covid_score, -pneumonia_score), covid_score),
                object_id
        ) as by_nearness
    from of_persons
),
chosen as (
    select
        *,
        case
            when kind = 'false negative' and by_certainty <= by_nearness
                then if(pneumonia_positive, 'missed, among the lowest stage-3 scores', 'held back by stage 2, among its lowest scores')
            when kind = 'false negative'
                then if(pneumonia_positive, 'missed, among the nearest below the threshold of stage 3', 'held back by stage 2, among the nearest below its threshold')
            when by_certainty <= by_nearness then 'called, among the highest stage-3 scores'
            else 'called, among the nearest above the threshold of stage 3'
        end as why,
        row_number() over (partition by bundle_digest, kind order by least(by_certainty, by_nearness), by_nearness < by_certainty, object_id)
            as place
    from ranked
)
select
    bundle_digest, object_id, object_url, screen_date, shard_id, pixel_hash, kind, why, place,
    pneumonia_score, covid_score, pneumonia_heatmap_url, covid_heatmap_url, covid_guided_url
from chosen
order by bundle_digest, kind, place;
