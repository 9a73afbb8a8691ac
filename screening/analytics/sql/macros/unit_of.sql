-- What several radiographs of one unit say together, in numbers of which the highest counts.

-- the truth of a unit: a positive test decides, then a negative, then an indeterminate one
create macro truth_rank(truth) as
    case truth when 'positive' then 3 when 'negative' then 2 when 'indeterminate' then 1 else 0 end;

create macro ranked_truth(rank) as
    case rank when 3 then 'positive' when 2 then 'negative' when 1 then 'indeterminate' end;

-- the answer for a unit: of the radiographs whose truth is that of the unit, so that no radiograph of another time finds a case;
-- positive when one of them is, and null where none of them was scored
create macro call_rank(called, truth) as
    4 * truth_rank(truth) + case when called then 2 when called is null then 0 else 1 end;

-- the highest score of a unit, of the same radiographs; null without a definite truth
create macro highest_of_truth(score, truth_of) as
    if(max(truth_of) = 3, max(score) filter (truth_of = 3), max(score) filter (truth_of = 2));

create macro ranked_call(rank) as
    case rank % 4 when 2 then true when 1 then false end;

-- orders the radiographs by the whole cascade: those stopped by stage 2 lie below all others
create macro cascade_rank(pneumonia_positive, pneumonia_rank, covid_rank) as
    if(pneumonia_positive is false, pneumonia_rank - 1000000, covid_rank);

-- the unit that thresholds are asked for; an image that lacks its study or person stands for itself
create macro threshold_unit_id(study, person, image) as
    coalesce(case coalesce(getvariable('threshold_unit'), 'patient') when 'study' then study when 'patient' then person end, image);

-- the subgroup that thresholds are asked for; null without one
create macro threshold_subgroup(sex, age_years, site, view, vendor) as
    case getvariable('threshold_by')
        when 'sex' then coalesce(sex, 'unknown')
        when 'age_band' then age_band(age_years)
        when 'site' then coalesce(site, 'unknown')
        when 'view' then coalesce(view, 'unknown')
        when 'vendor' then coalesce(vendor, 'unknown')
    end;

-- a score of stage 3 where it decides: what only the audit sample sent on is negative by stage 2; results made elsewhere may have no answer of it
create macro threshold_value(pneumonia_positive, covid_value) as
    if(coalesce(pneumonia_positive, true), covid_value, null);

-- the cell of the 2×2 table, or what keeps the unit out of it
create macro cell_of(truth, called) as
    case
        when called is null then 'not_scored'
        when truth is null then 'unverified'
        when truth = 'indeterminate' then 'indeterminate'
        else if(called, if(truth = 'positive', 'tp', 'fp'), if(truth = 'positive', 'fn', 'tn'))
    end;
