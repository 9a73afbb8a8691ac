-- grain: one row per person (and file of cases) and episode: the person's positive tests that belong together
-- example: select episode, count(*) as persons, avg(positive_tests) as tests from episodes group by episode order by episode
-- needs: variable episode_days
--
-- An episode begins with a positive test. Every positive test of the person that was taken at most episode_days after that first one belongs
-- to it, and the next one after that begins another. Positive tests without any date are an episode of their own, the last one. Since one of
-- them may have been the first of any episode, a person who has one has no confirmation date.
--
-- columns:
--   bundle_digest      the file of cases that the tests belong to; null where they count for every bundle
--   patient_pseudonym  the person
--   episode            number of the episode in the order of time, from 1
--   first_test_date    test_date of the first positive test; null where the tests have no date
--   last_test_date     test_date of the last one
--   confirmation_date  first day on which a positive result of the episode was reported; null where that of the first test is unknown
--   confirmed_from     day that the confirmation cannot precede, that of the first test; null where a positive test has no date
--   positive_tests     how many there are

create view episodes as
with positive_tests as (
    select bundle_digest, patient_pseudonym, test_date, min(result_date) as result_date, count(*) as positive_tests
    from tests
    where result = 'positive'
    group by bundle_digest, patient_pseudonym, test_date
),
persons as (
    select
        bundle_digest,
        patient_pseudonym,
        list_sort(list(test_date) filter (test_date is not null)) as days,
        bool_or(test_date is null) as some_undated,
        -- the first day of each episode, found from day to day
        list_reduce([[day] for day in days], lambda begun, next: if(next[1] - begun[-1] <= getvariable('episode_days'), begun, begun || next))
            as first_days
    from positive_tests
    group by bundle_digest, patient_pseudonym
),
placed as (
    select
        positive_tests.*,
        some_undated,
        len(coalesce(first_days, [])) as episodes_dated,
        if(test_date is null, episodes_dated + 1, len(list_filter(first_days, lambda day: day <= test_date))) as episode
    from positive_tests
    inner join persons
        on positive_tests.patient_pseudonym = persons.patient_pseudonym
        and positive_tests.bundle_digest is not distinct from persons.bundle_digest
)
select
    bundle_digest,
    patient_pseudonym,
    episode,
    min(test_date) as first_test_date,
    max(test_date) as last_test_date,
    if(some_undated or arg_min_null(result_date, test_date) is null, null, min(result_date)) as confirmation_date,
    if(some_undated, null, min(test_date)) as confirmed_from,
    sum(positive_tests)::bigint as positive_tests
from placed
group by bundle_digest, patient_pseudonym, episode, some_undated;
