-- Dates as registries write them. A time behind a date is cut off, so that the day is the one that was written, in the time zone that was
-- written; NA, N/A, NULL, None and NaN mean unknown, as an empty cell does.
--
-- Read without doubt: 2020-03-04, 2020/3/4, 2020.03.04, 20200304, 04.03.2020, 4 Mar 2020, 04-MAR-2020, 2020年3月4日, and years of the
-- Republic of China calendar with three digits (109/03/04, 1090304 and 民國109年3月4日 are 2020-03-04). Five digits are the number of a day
-- as spreadsheets keep it, with or without the time as a fraction (43894 and 43894.0 are 2020-03-04). Digits may be of full width.
-- Years of two digits are read only behind 民國, for elsewhere nothing tells whether 20 is a year, and in which calendar. 03/04/2020 and 03-04-2020 are read as the other cells of their column show: day_first(text) is true or
-- false where a part above 12 tells, null where none or both do; then only cells with such a part are read.
--
-- The macros below take the text that day_text gives: work it out once, in a step of its own.

create macro known_text(cell) as
    if(list_contains(['', 'na', 'n/a', 'null', 'none', 'nan', 'nat'], lower(trim(cell))), null, trim(cell));

create macro day_text(cell) as
    regexp_replace(
        regexp_replace(
            regexp_replace(translate(known_text(cell), '年月０１２３４５６７８９／－．日', '--0123456789/-.'), '[T ]+\d{1,2}:.*$', ''),
            '^(?:中華)?民[國国] *(\d{3}\D|\d{7}$)',
            '\1'
        ),
        '^(?:中華)?民[國国] *(\d{2}\D)',
        '0\1'
    );

create macro either_order(day_text) as
    regexp_matches(day_text, '^\d{1,2}[-/]\d{1,2}[-/]\d{4}$');

-- the first or second number of such a date
create macro date_part_at(day_text, place) as
    try_cast(str_split(replace(day_text, '-', '/'), '/')[place] as int);

create macro two_digit_year(day_text) as
    regexp_matches(
        lower(day_text),
        '^(\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|\d{6}|\d{1,2}[- ]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[- ]?\d{2}'
        || '|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}, ?\d{2})$'
    );

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
        when two_digit_year(day_text) then null
        when regexp_matches(day_text, '^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8})$') then year_first_date(day_text)
        when regexp_matches(day_text, '^(\d{3}[-/.]\d{1,2}[-/.]\d{1,2}|\d{7})$') then minguo_date(day_text)
        when regexp_matches(day_text, '^\d{5}(\.\d+)?$') then date '1899-12-30' + day_text[:5]::int
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

-- why a day cannot be true: of a radiograph, and of a test or symptom. Nobody had COVID-19 before December 2019.
create macro future_fault(day) as
    if(day > current_date, 'in the future', null);

create macro day_fault(day) as
    coalesce(future_fault(day), if(day < date '2019-12-01', 'before COVID-19', null));

create macro order_fault(specimen_day, report_day) as
    if(report_day < specimen_day, 'result before specimen', null);

-- why a cell was not read; null where it was, or is empty
create macro unread_reason(day_text, day) as
    case
        when day_text is null or day is not null then null
        when two_digit_year(day_text) then 'two-digit year'
        when either_order(day_text) then 'day or month first'
        else 'not read'
    end;

-- why a cell that was read so is not taken as it stands; null where it is
create macro date_reason(day_text, day) as
    coalesce(unread_reason(day_text, day), day_fault(day), if(day_text <> day::varchar, 'in another format', null));
