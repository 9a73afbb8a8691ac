-- Age in the bands that subgroups are reported in, unknown where it is null.

create macro age_band(age_years) as
    case
        when age_years is null then 'unknown'
        when age_years < 18 then 'under 18'
        when age_years < 40 then '18 to 39'
        when age_years < 65 then '40 to 64'
        when age_years < 80 then '65 to 79'
        else '80 and over'
    end;
