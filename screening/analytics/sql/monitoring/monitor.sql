-- grain: one row per bundle, night and site, and one for all sites together
-- example: select * from monitor where site = 'all sites'
-- Every object counts, second copies too: this watches the machine and what it is sent, not the people.
--
-- columns:
--   bundle_digest                  digest of the bundle that answered
--   screen_date                    the night of the run
--   site                           InstitutionName; unknown where the header has none or was not read; all sites
--   objects                        objects answered
--   scored                         of them, scored
--   rejected                       of them, rejected
--   failed                         of them, failed
--   audited                        of the scored, those drawn for the audit sample
--   pneumonia_positive             of the scored, positive in stage 2
--   covid_positive                 of the scored, positive by the cascade
--   rejected_share                 rejected / objects, in [0, 1]
--   rejected_share_low             lower limit of the 95 % Wilson interval
--   rejected_share_high            upper limit
--   failed_share                   failed / objects, in [0, 1]
--   failed_share_low               lower limit of the 95 % Wilson interval
--   failed_share_high              upper limit
--   pneumonia_positive_share       pneumonia_positive / scored, in [0, 1]; null where n is 0
--   pneumonia_positive_share_low   lower limit of the 95 % Wilson interval
--   pneumonia_positive_share_high  upper limit
--   positive_share                 covid_positive / scored, in [0, 1]; null where n is 0
--   positive_share_low             lower limit of the 95 % Wilson interval
--   positive_share_high            upper limit
--   lung_area_low                  5 % quantile of lung_area_fraction, where stage 1 ran, in [0, 1]
--   lung_area_median               median of it
--   lung_area_high                 95 % quantile of it

create view monitor as
with counted as (
    select
        bundle_digest,
        screen_date,
        if(grouping(site) = 1, 'all sites', site) as site,
        count(*) as objects,
        count(*) filter (outcome = 'scored') as scored,
        count(*) filter (outcome = 'rejected') as rejected,
        count(*) filter (outcome = 'failed') as failed,
        count(*) filter (audit_sample) as audited,
        count(*) filter (pneumonia_positive) as pneumonia_positive,
        count(*) filter (covid_positive) as covid_positive,
        quantile_disc(lung_area_fraction, [0.05, 0.5, 0.95]) as lung_area
    from (select *, coalesce(InstitutionName, 'unknown') as site from instance_rows)
    group by grouping sets ((bundle_digest, screen_date, site), (bundle_digest, screen_date))
)
select
    bundle_digest,
    screen_date,
    site,
    objects,
    scored,
    rejected,
    failed,
    audited,
    pneumonia_positive,
    covid_positive,
    rejected / objects as rejected_share,
    wilson_low(rejected, objects) as rejected_share_low,
    wilson_high(rejected, objects) as rejected_share_high,
    failed / objects as failed_share,
    wilson_low(failed, objects) as failed_share_low,
    wilson_high(failed, objects) as failed_share_high,
    pneumonia_positive / nullif(scored, 0) as pneumonia_positive_share,
    wilson_low(pneumonia_positive, scored) as pneumonia_positive_share_low,
    wilson_high(pneumonia_positive, scored) as pneumonia_positive_share_high,
    covid_positive / nullif(scored, 0) as positive_share,
    wilson_low(covid_positive, scored) as positive_share_low,
    wilson_high(covid_positive, scored) as positive_share_high,
    lung_area[1] as lung_area_low,
    lung_area[2] as lung_area_median,
    lung_area[3] as lung_area_high
from counted
order by bundle_digest, screen_date, site <> 'all sites', objects desc, site;
