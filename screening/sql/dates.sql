-- Dates as registries write them. A time behind a date is cut off; NA, N/A, NULL, None and NaN mean unknown, as an empty cell does.
--
-- Read without doubt: 2020-03-04, 2020/3/4, 2020.03.04, 20200304, 04.03.2020, 4 Mar 2020, 04-MAR-2020, and years of the Republic of China
-- calendar with three digits (109/03/04 and 1090304 are 2020-03-04). 03/04/2020 and 03-04-2020 are read as the other cells of their
-- column show: day_first(text) is true or false where a part above 12 tells, null where none or both do, and such a cell stays unread.

create macro known_text(cell) as
    if(lower(trim(cell)) in ('', 'na', 'n/a', 'null', 'none', 'nan', 'nat'), null, trim(cell));

create macro day_text(cell) as
    regexp_replace(known_text(cell), '[T ]+\d{1,2}:.*$', '');

create macro either_order(cell) as
    regexp_matches(day_text(cell), '^\d{1,2}[-/]\d{1,2}[-/]\d{4}$');

-- the first or second number of such a date
create macro date_part_at(cell, place) as
    try_cast(str_split(replace(day_text(cell), '-', '/'), '/')[place] as int);

create macro day_first(cell) as
    case
        when bool_or(date_part_at(cell, 1) > 12) filter (either_order(cell))
            then if(bool_or(date_part_at(cell, 2) > 12) filter (either_order(cell)), null, true)
        when bool_or(date_part_at(cell, 2) > 12) filter (either_order(cell)) then false
    end;

create macro year_first_date(cell) as
    try_cast(regexp_replace(day_text(cell), '^(\d{4})[-/.]?(\d{1,2}?)[-/.]?(\d{1,2})$', '\1-\2-\3') as date);

create macro minguo_date(cell) as
    try_cast(
        (try_cast(regexp_extract(day_text(cell), '^\d{3}') as int) + 1911)::varchar
        || regexp_replace(day_text(cell), '^\d{3}[-/.]?(\d{1,2}?)[-/.]?(\d{1,2})$', '-\1-\2') as date
    );

create macro read_date(cell, day_before_month) as
    case
        when regexp_matches(day_text(cell), '^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}$') or regexp_matches(day_text(cell), '^\d{8}$')
            then year_first_date(cell)
        when regexp_matches(day_text(cell), '^\d{3}[-/.]\d{1,2}[-/.]\d{1,2}$') or regexp_matches(day_text(cell), '^\d{7}$')
            then minguo_date(cell)
        when regexp_matches(day_text(cell), '^\d{1,2}\.\d{1,2}\.\d{4}$') then try_strptime(day_text(cell), '%d.%m.%Y')::date
        when either_order(cell) and date_part_at(cell, 1) = date_part_at(cell, 2)
            then try_strptime(replace(day_text(cell), '-', '/'), '%d/%m/%Y')::date
        when either_order(cell) and day_before_month then try_strptime(replace(day_text(cell), '-', '/'), '%d/%m/%Y')::date
        when either_order(cell) and not day_before_month then try_strptime(replace(day_text(cell), '-', '/'), '%m/%d/%Y')::date
        else try_strptime(day_text(cell), ['%d %b %Y', '%d-%b-%Y', '%d %B %Y', '%b %d, %Y', '%d%b%Y'])::date
    end;
