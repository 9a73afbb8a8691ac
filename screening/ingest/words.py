"""The words by which headers name the chest, other parts of the body, and projections, in the languages of the archives that we know.

Free text comes in every spelling: "TÓRAX", "Thorax p.a./lat.", "KLATKA PIERSIOWA", "胸部正位". It is folded first: capitals without
accents, one width of letters. Words of Latin script are then compared as whole words or as parts of words. Chinese, Japanese and Korean
put no spaces between words, so theirs are looked for anywhere.
"""

import re
import unicodedata

# Parts of words: "RXTORAX", "CHEST_PA". One language a line: English and German; Spanish and Portuguese; French; Italian; Dutch; Polish;
# Turkish; Chinese, Japanese and Korean; then other neighbours.
CHEST_WORDS = (
    "CHEST", "THORAX", "PULMO", "CXR", "BRUSTKORB",
    "TORAX", "PECHO", "PULMAO", "PEITO",
    "POUMON", "POITRINE",
    "TORACE", "POLMON",
    "LONGFOTO", "LONGEN", "BORSTKAS",
    "PIERSIOW", "PLUC",
    "GOGUS", "TORAKS", "AKCIGER",
    "胸", "肺", "흉부", "가슴", "폐",
    "HRUDN", "MELLKAS", "KEUHKO", "NGUC", "ГРУД", "ЛЕГК", "ΘΩΡΑΚ", "صدر", "חזה", "ทรวงอก", "ปอด",
)  # fmt: skip
_CHEST_AT_START = re.compile(r"(?<![A-Z])LUNG")  # "LUNG", "LUNGE"; not "STELLUNG", German for any positioning
# Parts of words, each of which beside a chest word makes another examination: "CHESTABDOMEN", "THORAX RIPPEN". The spine, the abdomen,
# ribs and bony thorax, breastbone, collarbone, shoulder, pelvis, neck.
_OTHER_PARTS = (
    "SPINE", "WIRBELS", "COLUMNA", "COLUNA", "COLONN", "RACHIS", "RACHIDE", "WERVEL", "KREGOSLUP", "OMURGA", "VERTEBRA", "椎", "脊", "척추",
    "흉추", "ABD", "ADDOM", "BAUCH", "BUIK", "BRZUCH", "BATIN", "腹", "복부",
    "RIB", "COSTILL", "COSTEL", "COSTAL", "COTES", "RIPPE", "ZEBRA", "KABURGA", "BONY", "OSSEUX", "KNOCHERN", "OSEO", "OSSEO",
    "肋", "늑골", "갈비",
    "STERN", "BRUSTBEIN", "MOSTEK", "MOSTKA", "胸骨", "흉골",
    "CLAVIC", "KLAVIK", "SCHLUSSELB", "SLEUTELB", "OBOJCZYK", "KOPRUCUK", "鎖骨", "锁骨", "쇄골",
    "SHOULDER", "SCHULTER", "HOMBRO", "OMBRO", "EPAULE", "SPALLA", "SCHOUDER", "OMUZ", "肩", "어깨",
    "PELVI", "PELVE", "BECKEN", "BASSIN", "BACINO", "BEKKEN", "MIEDNIC", "骨盆", "骨盤", "골반",
    "NECK", "CUELLO", "PESCOCO", "HALS", "COLLO", "SZYJ", "BOYUN", "頸", "颈", "경부",
)  # fmt: skip
UNSPECIFIC_PARTS = frozenset([
    "", "UNKNOWN", "OTHER", "UNSPECIFIED", "NONE", "NA", "ANY", "DEFAULT", "NULL", "UNBEKANNT", "DESCONOCIDO", "DESCONHECIDO", "INCONNU",
    "SCONOSCIUTO", "ONBEKEND", "NIEZNANE", "BILINMIYOR", "未知", "不明", "その他", "其他",
])  # fmt: skip

# Whole words, or parts of Chinese, Japanese and Korean text
FRONTAL_VIEWS = frozenset([
    "PA", "AP", "FRONTAL", "POSTEROANTERIOR", "ANTEROPOSTERIOR",
    "FRENTE", "FACE", "FRONTALE", "POSTEROANTERIEURE", "ANTEROPOSTERIEURE", "POSTEROANTERIORE", "ANTEROPOSTERIORE",
    "VOORWAARTS", "ACHTERWAARTS", "ACHTERVOORWAARTS", "VOORACHTERWAARTS",
    "TYLNOPRZEDNIA", "TYLNOPRZEDNIE", "PRZEDNIOTYLNA", "PRZEDNIOTYLNE", "ARKA",
    "正位", "正面", "后前位", "後前位", "前后位", "前後位", "正侧位", "正側位", "정면", "후전", "전후",
])  # fmt: skip
# lateral decubitus (LLD, RLD) is projected frontally, but the patient lies on a side: fluid and air lie where no training image has them
LATERAL_VIEWS = frozenset([
    "LL", "RL", "LLAT", "RLAT", "LAT", "LATERAL", "LATERO", "LATEROLATERAL", "SAGITTAL", "LLO", "RLO", "LPO", "RPO", "LAO", "RAO", "OBL",
    "OBLIQUE", "LLD", "RLD", "DECUB", "DECUBITUS", "DECUBITO",
    "PERFIL", "OBLICUA", "OBLICUO", "OBLIQUA", "PROFIL", "LATERALE", "LATEROLATERALE",
    "SEITLICH", "SEITLICHE", "SEITL", "SCHRAG", "LATERAAL", "DWARS", "ZIJDELINGS",
    "BOCZNE", "BOCZNA", "BOCZNY", "BOK", "SKOSNE", "SKOSNA", "YAN", "OBLIK",
    "侧位", "側位", "側面", "斜位", "측면", "사위",
])  # fmt: skip
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # kana, Chinese characters, Korean syllables
# to lie on the back or the belly is no lateral decubitus; "dorsal decubitus", in this order, is: English for a horizontal beam
_SUPINE = re.compile(r"DECUB(?:ITUS|ITO)?[ ,-]*(?:DORSAL|VENTRAL|SUPIN[AEO]|PRON[AEO])")
_SPLIT_PAIR = re.compile(r"(?<![A-Z])([AP])(?:[./→-]|->)?[ ]?([AP])(?![A-Z])\.?")  # P.A., A-P, P→A
_SPLIT_LATERAL = re.compile(r"(?<![A-Z])[LR](?:[.][ ]?|->|→)L(?![A-Z])\.?|(?<![A-Z])L(?:->|→)R(?![A-Z])")  # L.L., R→L, L→R
_FOLDED_OTHERWISE = str.maketrans({"Ł": "L", "ł": "L", "Ø": "O", "ø": "O", "Đ": "D", "đ": "D", "ı": "I", "Æ": "AE", "æ": "AE"})


def folded(text: str) -> str:
    """Return a text in capitals without accents, in one width of letters: "Tórax" → "TORAX", "Göğüs" → "GOGUS", "ＰＡ" → "PA"."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_FOLDED_OTHERWISE))
    bare = "".join(c for c in decomposed if not unicodedata.combining(c) or _UNSPACED.match(c))
    return unicodedata.normalize("NFC", bare).upper()


def names_nothing(part: str) -> bool:
    """Tell whether a text names no part of the body: it is empty, one of the words for "unknown", or in letters that were lost.

    Letters between ASCII and Greek do not count alone, because they are what is left of another script in a wrong character set.
    """
    letters = "".join(c for c in part if c.isalpha() and (c.isascii() or c >= "\u0370"))
    return folded(letters) in UNSPECIFIC_PARTS and not any(c.isascii() and c.isdigit() for c in part)


def names_chest(part: str) -> bool:
    """Tell whether a text names the chest and nothing else: "PORT CHEST", "Tórax", "胸部"; not "CHESTABDOMEN", "CHEST RIBS", "胸椎"."""
    text = folded(part)
    is_chest = any(word in text for word in CHEST_WORDS) or _CHEST_AT_START.search(text) is not None
    return is_chest and not any(word in text for word in _OTHER_PARTS)


def view_words(text: str) -> set[str]:
    """Return which words a text on a projection holds: those of Latin script, and those of the two lists of views in any other."""
    joined = re.sub(r"(?<=[A-Z])O-(?=[A-Z])", "O", _SUPINE.sub(" ", folded(text)))  # POSTERO-ANTERIOR
    joined = _SPLIT_PAIR.sub(r"\1\2 ", _SPLIT_LATERAL.sub("LATERAL ", joined))
    unspaced = {word for word in FRONTAL_VIEWS | LATERAL_VIEWS if _UNSPACED.match(word) and word in joined}
    return unspaced | set(re.findall(r"[A-Z]+", joined))
