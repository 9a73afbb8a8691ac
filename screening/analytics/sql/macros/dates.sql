-- Dates as registries write them. A time behind a date is cut off; NA, N/A, NULL, None and NaN mean unknown, as an empty cell does.
--
-- Read without doubt: 2020-03-04, 2020/3/4, 2020.03.04, 20200304, 04.03.2020, 4 Mar 2020, 04-MAR-2020, 2020年3月4日, and years of the
-- Republic of China calendar with three digits (109/03/04 and 1090304 are 2020-03-04). Five digits are the number of a day as spreadsheets
-- keep it (43894 is 2020-03-04). 03/04/2020 and 03-04-2020 are read as the other cells of their column show: day_first(text) is true or
-- false where a part above 12 tells, null where none or both do; then only cells with such a part are read.
--
-- The macros below take the text that day_text gives: work it out once, in a step of its own.

create macro known_text(cell) as
    if(list_contains(['', 'na', 'n/a', 'null', 'none', 'nan', 'nat'], lower(trim(cell))), null, trim(cell));

create macro day_text(cell) as
    regexp_replace(translate(known_text(cell), '年月日', '--'), '[T ]+\d{1,2}:.*$', '');

create macro either_order(day_text) as
    regexp_matches(day_text, '^\d{1,2}[-/]\d{1,2}[-/]\d{4}$');

-- the first or second number of such a date
create macro date_part_at(day_text, place) as
    try_cast(str_split(replace(day_text, '-', '/'), '/')[place] as int);

create macro day_first(day_text) as
    case
        when bool_or(if(either_order(day_text), date_part_at(day_text, 1) > 12, null))
            then if(bool_or(if(either_order(day_text), date_part_at(day_text, 2) > 12, null)), null, true)
        when bool_or(if(either_order(day_text), date_part_at(day_text, 2) > 12, null)) then false
    end;

create macro year_first_date(day_text) as
    try_cast(regexp_replace(day_text, '^(\d{4})[-/.]?(\d{1,2}?)[-/.]?(\d{1,2})$', '\1-\2-\3') as date);

create macro minguo_date(day_text) as
    try_cast(
        (try_cast(regexp_extract(day_text, '^\d{3}') as int) + 1911)::varchar
        || regexp_replace(day_text, '^\d{3}[-/.]?(\d{1,2}?)[-/.]?(\d{1,2})$', '-\1-\2') as date
    );

create macro read_date(day_text, day_before_month) as
    case
        when regexp_matches(day_text, '^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8})$') then year_first_date(day_text)
        when regexp_matches(day_text, '^(\d{3}[-/.]\d{1,2}[-/.]\d{1,2}|\d{7})$') then minguo_date(day_text)
        when regexp_matches(day_text, '^\d{5}$') then date '1899-12-30' + day_text::int
        when regexp_matches(day_text, '^\d{1,2}\.\d{1,2}\.\d{4}$') then try_strptime(day_text, '%d.%m.%Y')::date
        when either_order(day_text)
            then case
                when date_part_at(day_text, 1) > 12 or date_part_at(day_text, 1) = date_part_at(day_text, 2)
                    then try_strptime(replace(day_text, '-', '/'), '%d/%m/%Y')::date
                when date_part_at(day_text, 2) > 12 or not day_before_month then try_strptime(replace(day_text, '-', '/'), '%m/%d/%Y')::date
                when day_before_month then try_strptime(replace(day_text, '-', '/'), '%d/%m/%Y')::date
            end
        else try_strptime(day_text, ['%d %b %Y', '%d-%b-%Y', '%d %B %Y', '%b %d, %Y', '%B %d, %Y', '%d%b%Y'])::date
    end;

-- why a cell that was read so is not taken as it stands; null where it is. Nobody had COVID-19 before December 2019.
create macro date_reason(day_text, day) as
    case
        when day_text is null then null
        when day is null then if(either_order(day_text), 'day or month first', 'not read')
        when day > current_date then 'in the future'
        when day < date '2019-12-01' then 'before COVID-19'
        when day_text <> day::varchar then 'in another format'
    end;
