-- grain: one row per row of the reference table as the agency gave it: its cells as they were, as they are read, and why they are not the same
-- example: select left_out, count(*) as rows from reference_read group by all order by all
-- needs: the table reference_given, cells of any type
--
-- A row is left out where it has no person or no result, or says what an earlier row said. Of two dates in an impossible order neither is
-- taken, for nobody can tell which one is wrong. A dash means nothing, unless others of its column are a plus. The view reference has the rows that are used, the view reference_cleaning the reasons.
--
-- columns:
--   row_number          number of the row, from 1 after the header
--   patient_pseudonym   the person
--   onset_text          first day of symptoms, as given
--   specimen_text       day on which the RT-PCR specimen was taken, as given
--   report_text         day on which the result was reported, as given
--   death_text          day of death, as given, where the table has the column death_date
--   result_text         of the test, as given
--   reading_text        of a radiologist, as given
--   sex_text            of the person, as given, where the table has the column PatientSex
--   symptom_onset_date  first day of symptoms, as it is taken
--   specimen_date       day on which the RT-PCR specimen was taken
--   result_date         day on which the result was reported
--   death_date          day of death
--   result              positive, negative or indeterminate
--   reading             normal, pneumonia or covid
--   PatientSex          M, F or O
--   onset_reason        why it is not taken as given; null where it is, as below
--   specimen_reason     the same of the specimen
--   report_reason       the same of the report
--   death_reason        the same of the day of death
--   result_reason       the same of the result
--   reading_reason      the same of the reading
--   sex_reason          the same of the sex
--   left_out            why the row is not used; null where it is
--   same_as             row_number of the earlier row that said the same

create table reference_read as
with given as materialized (
    select
        row_number() over () as row_number,
        patient_pseudonym::varchar as patient_text,
        symptom_onset_date::varchar as onset_text,
        specimen_date::varchar as specimen_text,
        result_date::varchar as report_text,
        death_date::varchar as death_text,
        result::varchar as result_text,
        reading::varchar as reading_text,
        PatientSex::varchar as sex_text
    from reference_given
),
-- the same few texts come again and again: each is read once
date_cells as materialized (
    select kind, cell, day_text(cell) as day_text
    from (
        select distinct 'onset' as kind, onset_text as cell from given
        union all
        select distinct 'specimen', specimen_text from given
        union all
        select distinct 'report', report_text from given
        union all
        select distinct 'death', death_text from given
    )
),
read_cells as materialized (
    select date_cells.*, read_date(day_text, day_before_month) as day_read
    from date_cells
    inner join (select kind, day_first(day_text) as day_before_month from date_cells group by kind) as orders
        on date_cells.kind = orders.kind
),
reasoned as materialized (
    select *, date_reason(day_text, day_read) as reason
    from read_cells
),
dates as materialized (
    select kind, cell, reason, if(reason is null or reason = 'in another format', day_read, null) as day
    from reasoned
),
words as materialized (
    select kind, cell, signed_word(known_text(cell), bool_or(known_text(cell) = '+') over (partition by kind)) as word
    from (
        select distinct 'result' as kind, result_text as cell from given
        union all
        select distinct 'reading', reading_text from given
        union all
        select distinct 'sex', sex_text from given
    )
),
meanings as materialized (
    select
        *,
        case kind
            when 'result' then read_result(word)
            when 'reading' then if(list_contains(['normal', 'pneumonia', 'covid'], lower(word)), lower(word), null)
            else read_sex(word)
        end as meaning
    from words
),
terms as materialized (
    select
        *,
        case
            when word is null then if(known_text(cell) is null, null, 'a dash')
            when meaning is null then 'not read'
            when lower(word) <> lower(meaning) then 'in other words'
        end as reason
    from meanings
),
cells as materialized (
    select
        row_number,
        known_text(patient_text) as patient_pseudonym,
        onset_text,
        specimen_text,
        report_text,
        death_text,
        result_text,
        reading_text,
        sex_text,
        onset.day as onset_day,
        onset.reason as onset_alone,
        specimen.day as specimen_day,
        specimen.reason as specimen_alone,
        report.day as report_day,
        report.reason as report_alone,
        death.day as death_date,
        death.reason as death_reason,
        results.meaning as result,
        results.reason as result_reason,
        readings.meaning as reading,
        readings.reason as reading_reason,
        sexes.meaning as sex_word,
        sexes.reason as sex_alone
    from given
    left join dates as onset on onset.kind = 'onset' and given.onset_text = onset.cell
    left join dates as specimen on specimen.kind = 'specimen' and given.specimen_text = specimen.cell
    left join dates as report on report.kind = 'report' and given.report_text = report.cell
    left join dates as death on death.kind = 'death' and given.death_text = death.cell
    left join terms as results on results.kind = 'result' and given.result_text = results.cell
    left join terms as readings on readings.kind = 'reading' and given.reading_text = readings.cell
    left join terms as sexes on sexes.kind = 'sex' and given.sex_text = sexes.cell
),
-- persons of whom rows give different sexes
torn as (
    select patient_pseudonym
    from cells
    where sex_word is not null
    group by patient_pseudonym
    having min(sex_word) <> max(sex_word)
),
judged as (
    select
        cells.*,
        order_fault(specimen_day, report_day) is not null as wrong_order,
        coalesce(onset_day > death_date, false) as after_death,
        torn.patient_pseudonym is not null as wrong_sex,
        if(wrong_order, null, specimen_day) as specimen_date,
        if(wrong_order, null, report_day) as result_date,
        if(after_death, null, onset_day) as symptom_onset_date,
        case when cells.patient_pseudonym is null then 'no person' when result is null then 'no result' end as unusable,
        -- rows that say the same have the same number
        if(
            unusable is null,
            hash(cells.patient_pseudonym, symptom_onset_date, specimen_date, result_date, result, reading),
            null
        ) as said
    from cells
    left join torn
        on cells.patient_pseudonym = torn.patient_pseudonym
),
repeated as (
    select said, min(row_number) as first_row
    from judged
    where said is not null
    group by said
    having count(*) > 1
)
select
    row_number,
    patient_pseudonym,
    onset_text,
    specimen_text,
    report_text,
    death_text,
    result_text,
    reading_text,
    sex_text,
    symptom_onset_date,
    specimen_date,
    result_date,
    death_date,
    result,
    reading,
    if(wrong_sex, null, sex_word) as PatientSex,
    if(after_death, 'after death', onset_alone) as onset_reason,
    coalesce(order_fault(specimen_day, report_day), specimen_alone) as specimen_reason,
    coalesce(order_fault(specimen_day, report_day), report_alone) as report_reason,
    death_reason,
    result_reason,
    reading_reason,
    if(wrong_sex, 'differs from another row', sex_alone) as sex_reason,
    if(first_row < row_number, 'repeats an earlier row', unusable) as left_out,
    if(first_row < row_number, first_row, null) as same_as
from judged
left join repeated
    on judged.said = repeated.said
order by row_number;
