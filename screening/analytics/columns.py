"""Which column of a table that others wrote is which of ours: by a mapping, by our own name, or by the usual other names."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from screening.errors import UsageError

_RESULTS = ("rt pcr", "rt pcr result", "pcr", "pcr result", "test result", "檢驗結果", "检验结果")

# ours → other names for it, compared without case, spaces and punctuation
SYNONYMS: dict[str, tuple[str, ...]] = {
    "PatientID": ("patient number", "病歷號", "病歷號碼"),
    "case_id": ("case", "id", "patient", "patient id", "patient_pseudonym", "person", "person id", "subject", "subject id"),
    "label": ("truth", "ground truth", *_RESULTS, "result", "diagnosis", "target", "y_true"),
    "covid_positive": ("stage3_positive", "positive", "call", "called", "prediction", "predicted", "y_pred", "ai_positive"),
    "covid_score": ("stage3_score", "score", "probability", "covid_probability", "y_score", "ai_score"),
    "pneumonia_positive": ("stage2_positive",),
    "pneumonia_score": ("stage2_score", "pneumonia_probability"),
    "radiograph_date": ("cxr_date", "StudyDate", "xray_date", "image_date", "AcquisitionDate"),
    "symptom_onset_date": ("symptom onset", "onset", "onset_date", "date of onset", "symptom date", "發病日", "發病日期", "发病日期"),
    "specimen_date": (
        *("sample_date", "swab_date", "collection_date", "sampling date", "specimen collection date", "sample collection date"),
        *("採檢日", "採檢日期", "采样日期"),
    ),
    "result_date": (
        *("rt_pcr_confirmed_date", "confirmed_date", "confirmation_date", "report_date", "reported date", "rt_pcr_date", "pcr_date"),
        *("確診日", "確診日期", "報告日", "報告日期", "确诊日期", "报告日期"),
    ),
    "result": _RESULTS,
    "reading": ("radiologist", "radiologist_reading"),
    "PatientSex": ("sex", "gender", "性別", "性别"),
    "death_date": ("date of death", "death", "deceased date", "死亡日", "死亡日期"),
    "age_years": ("age", "PatientAge"),
    "ViewPosition": ("view", "projection"),
    "InstitutionName": ("site", "hospital", "institution"),
    "Manufacturer": ("vendor",),
}


def find_columns(header: Sequence[str], columns: Mapping[str, str], name: str, ours: Collection[str]) -> dict[str, str]:
    """Return ours → the table's own column, by the mapping first, then by our names, then by SYNONYMS.

    columns: ours → theirs, as a person gave it. name: of the table, for messages. ours: the columns that are looked for.
    Raises UsageError for a mapping of what is no column, and where two columns could each be one of ours.
    """
    check_mapping(header, columns, name, ours)
    mapping = dict(columns)
    for wanted in ours:
        known = {_letters(word) for word in (wanted, *SYNONYMS.get(wanted, ()))}
        fitting = [column for column in header if _letters(column) in known and column not in columns.values()]
        exact = [column for column in fitting if column == wanted]
        if wanted in mapping or not fitting:
            continue
        if len(fitting) > 1 and not exact:
            raise UsageError(f"{name}: {', '.join(fitting)} could each be {wanted}. Say which with --column {wanted}={fitting[0]}")
        mapping[wanted] = (exact or fitting)[0]
    return {wanted: mapping[wanted] for wanted in ours if wanted in mapping}


def check_mapping(header: Sequence[str], columns: Mapping[str, str], name: str, ours: Iterable[str]) -> None:
    """Raise UsageError where a mapping of ours → theirs names no column of ours, or none of the table."""
    ours = list(ours)
    for wanted, theirs in columns.items():
        if wanted not in ours:
            raise UsageError(f"--column {wanted}={theirs}: ours are {', '.join(ours)}")
        if theirs not in header:
            raise UsageError(f"--column {wanted}={theirs}: {name} has no column {theirs}, but {', '.join(header)}")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())
