-- Days from the first day of symptoms in the bands that subgroups are reported in, null where they are unknown.

create macro onset_band(days) as
    case
        when days < 0 then 'before onset'
        when days <= 2 then '0 to 2'
        when days <= 5 then '3 to 5'
        when days <= 11 then '6 to 11'
        when days >= 12 then '12 and more'
    end;

-- puts the values of a subgroup in order: by their first number, words that come before any number first, unknown last
create macro band_order(value) as
    case
        when value = 'unknown' then 1000000
        when value in ('under 18', 'before onset') then -1
        else coalesce(try_cast(regexp_extract(value, '^\d+') as int), 999999)
    end;
