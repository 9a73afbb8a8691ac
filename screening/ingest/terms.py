"""The terms of coded strings (CS) that rows may hold as they stand: those that DICOM defines, and common spellings of them.

A coded string has up to 16 characters, and some writers put free text there, a name among it. Any other text than a term is therefore not
written. No pseudonym stands for it, unlike for free text: nothing is grouped by a code that nobody knows, and the gate reads the header.
"""

import re

from screening.ingest import gate
from screening.ingest.words import CHEST_WORDS, FRONTAL_VIEWS, LATERAL_VIEWS, UNSPECIFIC_PARTS, folded


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


# PS3.3 C.7.3.1.1.1, with the retired terms that old archives hold
_MODALITIES = _words(
    "ANN AR ASMT AU BDUS BI BMD CAD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN "
    "LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN "
    "RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC AS CD CF CP CS DD DF DM DS EC FA "
    "FS LP MA MS OPR ST VF DR"
)
# words of the defined terms of PS3.16 Annex L, and those that writers put beside CHEST
_PART_WORDS = _words(
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA AXILLA BACK BILEDUCT BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID "
    "CEREBELLUM CEREBRALA CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON CORNEA CORONARYARTERY CSPINE "
    "CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP "
    "HUMERUS ILEUM ILIUM IAC INTRACRANIAL JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUMEN LUNG LUNGS MANDIBLE MAXILLA "
    "MEDIASTINUM MOUTH NASALBONE NECK NECKCHEST NECKCHESTABDOMEN NOSE OPTICCANAL ORBIT ORBITS OVARY PANCREAS PARATHYROID PAROTID PATELLA "
    "PELVIS PENIS PHARYNX PROSTATE PULMONARYA RECTUM RIB RIBS SCALP SCAPULA SCLERA SCROTUM SELLA SHOULDER SINUS SKIN SKULL SPINE SPLEEN "
    "SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TOOTH TRACHEA "
    "TSPINE ULNA UPRTRACT URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA "
    "TORAX TORACE POUMON PULMON PULMONES CXR PORT PORTABLE MOBILE BEDSIDE SUPINE ERECT UPRIGHT SITTING STANDING ADULT CHILD PEDIATRIC "
    "VIEW VIEWS SINGLE TWO SPOT GRID INSPIRATION EXPIRATION AND"
)
_VIEW_WORDS = FRONTAL_VIEWS | LATERAL_VIEWS | _words("AND ERECT SUPINE UPRIGHT PORTABLE APICAL LORDOTIC CC ML MLO LM LMO")
# PS3.3 C.7.6.3.1.2
_PHOTOMETRIC = frozenset(
    ["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422",
     "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB"]
)  # fmt: skip
_WORDS_OF = {"BodyPartExamined": _PART_WORDS | _VIEW_WORDS | frozenset(CHEST_WORDS) | UNSPECIFIC_PARTS, "ViewPosition": _VIEW_WORDS}
_TERMS_OF = {"Modality": _MODALITIES, "PhotometricInterpretation": _PHOTOMETRIC}


def term_of(keyword: str, text: str) -> str | None:
    """Return a coded string in capitals without accents where it is a term of its attribute, or terms in a row ("CHEST PA").

    Any other text gives None.
    """
    text = folded(text)
    if keyword in _TERMS_OF:
        return text if text in _TERMS_OF[keyword] else None
    words = [word for word in re.split(r"[ _/.,-]+", text) if word]
    known = text in gate.CHEST_CODES if keyword == "BodyPartExamined" else False
    return text if known or (words and all(word in _WORDS_OF[keyword] for word in words)) else None
