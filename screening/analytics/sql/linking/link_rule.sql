-- grain: one row: the rule by which a radiograph and an RT-PCR test of one person are linked
-- example: select rule from link_rule
-- needs: variables window_before_days, window_after_days, link_undated, link_repeated, link_indeterminate, episode_days, has_readings, has_labels
--
-- columns:
--   window_before_days  a specimen counts when taken at most that many days before the radiograph
--   window_after_days   and at most that many days after it
--   link_undated        a test counts too when its date or the radiograph's is unknown
--   repeated            of several tests that count: positive (a positive one decides), nearest (the nearest in days does) or agree
--   indeterminate       an indeterminate result stands apart, or is taken for positive, or for negative
--   episode_days        positive tests of a person at most that many days after the first of them belong to one episode
--   rule                the same in words

create view link_rule as
select
    getvariable('window_before_days') as window_before_days,
    getvariable('window_after_days') as window_after_days,
    getvariable('link_undated') as link_undated,
    getvariable('link_repeated') as repeated,
    getvariable('link_indeterminate') as indeterminate,
    getvariable('episode_days') as episode_days,
    if(
        getvariable('has_readings'),
        'The reference standard is the readings of radiologists, each reader''s latest one: covid stands for positive, pneumonia and normal '
        || 'for negative, unreadable for indeterminate; below, a test is a reading and its specimen date the day of the radiograph. ',
        ''
    )
    || format(
        'A test counts for a radiograph of the same person when its specimen was taken from {} days before to {} days after it '
        || '(the result date stands in for a missing specimen date). A pair with an unknown date {}. {}. {}. '
        || 'Positive tests of a person that were taken at most {} days after the first of them belong to one episode. '
        || 'Without any test a radiograph is unverified; unverified and indeterminate ones are counted beside the 2×2 table, never in it. '
        || 'A study or person has the result of its radiographs, a positive one before a negative before an indeterminate one, and is called by '
        || 'the radiographs with that result alone. A second copy of an image does not count.',
        window_before_days,
        window_after_days,
        if(link_undated, 'counts too', 'does not count')
        || if(getvariable('has_labels'), ', but the label of a row of cases always counts for the radiograph of that row', ''),
        case repeated
            when 'nearest' then 'Of several tests the nearest in days decides, of two that are as near the positive one'
            when 'agree' then 'Of several tests all must agree: a positive and a negative one make the radiograph indeterminate'
            else 'Of several tests a positive one decides, then a negative, then an indeterminate one'
        end,
        if(
            indeterminate = 'apart',
            'An indeterminate result is neither positive nor negative',
            'An indeterminate result is taken for ' || indeterminate
        ),
        episode_days
    ) as rule;
