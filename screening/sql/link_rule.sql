-- grain: one row: the rule by which a radiograph and an RT-PCR test of one person are linked
-- needs: variables window_before_days, window_after_days, link_undated
--
-- columns:
--   window_before_days  a specimen counts when taken at most that many days before the radiograph
--   window_after_days   and at most that many days after it
--   link_undated        a test counts too when its date or the radiograph's is unknown, for it cannot be shown to lie outside
--   rule                the same in words

create view link_rule as
select
    getvariable('window_before_days') as window_before_days,
    getvariable('window_after_days') as window_after_days,
    getvariable('link_undated') as link_undated,
    format(
        'A test counts for a radiograph of the same person when its specimen was taken from {} days before to {} days after it '
        || '(the result date stands in for a missing specimen date). A pair with an unknown date {}. '
        || 'Of several tests a positive one decides, then a negative, then an indeterminate one; without any the radiograph is unverified.',
        getvariable('window_before_days'),
        getvariable('window_after_days'),
        if(getvariable('link_undated'), 'counts too', 'does not count')
    ) as rule;
