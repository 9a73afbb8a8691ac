-- Words as registries and products write them, whatever their case; null where a word means nothing here.

-- a dash is how many write that there is nothing: it means negative only where other cells of its column are a plus
create macro signed_word(word, beside_plus) as
    if(word = '-' and not coalesce(beside_plus, false), null, word);

create macro read_result(word) as
    case
        when list_contains(['positive', 'pos', '+', '1', '1.0', 'true', 't', 'yes', 'y', 'detected', 'covid', 'covid-19', 'covid19', '陽性', '阳性'], lower(word))
            then 'positive'
        when list_contains(
            ['negative', 'neg', '-', '0', '0.0', 'false', 'f', 'no', 'n', 'not detected', 'pneumonia', 'other pneumonia', 'other', 'normal', '陰性', '阴性'],
            lower(word)
        )
            then 'negative'
        when list_contains(['indeterminate', 'inconclusive', 'equivocal', 'borderline', 'invalid'], lower(word)) then 'indeterminate'
    end;

create macro read_sex(word) as
    case
        when lower(word) in ('m', 'male', 'man', '男') then 'M'
        when lower(word) in ('f', 'female', 'woman', '女') then 'F'
        when lower(word) in ('o', 'other') then 'O'
    end;
