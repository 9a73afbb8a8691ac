"""words: what archives in eleven languages write, and what it means."""

import pytest

from screening.ingest.words import FRONTAL_VIEWS, LATERAL_VIEWS, folded, names_chest, names_nothing, view_words

CHEST = {
    "English": ["CHEST", "Chest 1 view", "CHEST_PA", "PORT CHEST", "Lungs", "CXR", "Pulmonary"],
    "Spanish": ["TÓRAX", "Tórax", "TORAX", "RXTORAX", "Pecho", "Pulmón", "PULMONES"],
    "Portuguese": ["TÓRAX", "Tórax PA", "PULMÃO", "Pulmões", "Peito"],
    "French": ["POUMON", "Poumons", "THORAX", "Thorax de face", "Poitrine"],
    "German": ["Thorax", "THORAX", "Lunge", "Brustkorb", "Thorax liegend"],
    "Italian": ["TORACE", "Torace", "Polmone", "POLMONI"],
    "Dutch": ["Thorax", "X-thorax", "Longen", "LONGFOTO", "Borstkas"],
    "Polish": ["KLATKA PIERSIOWA", "klatki piersiowej", "Płuca", "RTG PŁUC"],
    "Turkish": ["GÖĞÜS", "Göğüs", "Toraks", "Akciğer", "AKCİĞER"],
    "Chinese": ["胸部", "胸片", "肺"],
    "Japanese": ["胸部", "胸部正面"],
    "Korean": ["흉부", "가슴", "폐"],
    "others": ["ГРУДНАЯ КЛЕТКА", "лёгкие", "Θώρακας", "صدر", "חזה", "Hrudník", "Mellkas", "Ngực"],
}
OTHER_PARTS = {
    "English": ["HAND", "TSPINE", "THORACIC SPINE", "CHESTABDOMEN", "CHEST RIBS", "BONY THORAX", "SHOULDER", "NECK", "STERNUM", "12345"],
    "Spanish": ["COLUMNA TORÁCICA", "Tórax y abdomen", "TÓRAX ÓSEO", "Parrilla costal", "Hombro"],
    "Portuguese": ["COLUNA TORÁCICA", "Tórax e abdome", "Tórax ósseo", "Costelas", "Ombro"],
    "French": ["RACHIS", "Thorax et abdomen", "Gril costal", "Épaule", "Thorax osseux", "ÉPAULE"],
    "German": ["BWS", "Brustwirbelsäule", "Thorax Rippen", "Schulter Einstellung", "Brustbein", "Abdomen", "FEHLSTELLUNG HAND"],
    "Italian": ["COLONNA", "Torace e addome", "Spalla", "Coste"],
    "Dutch": ["Wervelkolom", "Thorax en buik", "Schouder"],
    "Polish": ["Kręgosłup", "Klatka piersiowa i brzuch", "Żebra"],
    "Turkish": ["Omurga", "Toraks batın", "Kaburga"],
    "Chinese": ["腹部", "胸椎", "胸骨", "胸腰椎", "胸部肋骨", "手", "膝"],
    "Japanese": ["腹部", "胸椎", "頸部", "肩"],
    "Korean": ["복부", "흉추", "흉골", "무릎"],
    "others": ["КИСТЬ", "Рука"],
}
NOTHING = ["", " ", "UNKNOWN", "unknown", "N/A", "Other", "-", "Unbekannt", "DESCONOCIDO", "未知", "その他", "??", "\ufffd\ufffd", "ÈäºÎ"]
# "ÈäºÎ" is 흉부 read in a wrong character set


def _pairs(table: dict[str, list[str]]) -> list[str]:
    return [text for texts in table.values() for text in texts]


@pytest.mark.parametrize("text", _pairs(CHEST))
def test_chest(text: str):
    assert names_chest(text)
    assert not names_nothing(text)


@pytest.mark.parametrize("text", _pairs(OTHER_PARTS))
def test_other_parts(text: str):
    assert not names_chest(text)
    assert not names_nothing(text)


@pytest.mark.parametrize("text", NOTHING)
def test_nothing(text: str):
    assert names_nothing(text)


FRONTAL = [
    "PA", "pa", "p.a.", "P.A", "Thorax p.a.", "A.P.", "a-p", "P-A", "P/A", "Chest P A", "AP SUPINE", "AP/PA", "POSTERO-ANTERIOR",
    "postero-anterior", "Póstero-anterior", "antéro-postérieure", "Thorax face", "Tórax frente", "Torace frontale", "achter-voorwaarts",
    "tylno-przednia", "Thorax a.p. liegend", "ＰＡ", "胸部 P→A", "胸部正位", "胸部正面", "后前位", "흉부 정면",
    "AP en décubitus dorsal", "P->A",
]  # fmt: skip
LATERAL = [
    "LAT", "lat.", "Lateral", "LL", "L.L.", "RL", "LLD", "RAO", "oblique", "left lateral decubitus", "Decubitus", "dorsal decubitus",
    "Thorax seitlich", "Thorax seitl.", "schräg", "Tórax perfil", "oblicua", "Thorax profil", "Torace LL", "latero-laterale",
    "Torace laterale", "Thorax lateraal", "dwars", "boczne", "bok", "Akciğer yan", "侧位", "胸部側面", "R→L", "L→R", "斜位", "흉부 측면",
]  # fmt: skip
BOTH = [
    "Thorax p.a./lat.", "Chest PA and lateral", "PA+LAT", "pa & lat", "Tórax frente y perfil", "Tórax PA e perfil", "Thorax face et profil",
    "Thorax pa u. seitl.", "Torace AP-LL", "RTG PA i bok", "正侧位", "Thorax p.a. L.L.",
]  # fmt: skip
NEITHER = [
    "", "Chest", "Platinum chest", "Thorax", "A. Patient", "décubito supino", "décubitus dorsal", "Laterality", "Profile 3", "Surface", "L",
    "2 views", "胸部", "Dr. P. Amos",
]  # fmt: skip


@pytest.mark.parametrize("text", FRONTAL + BOTH)
def test_frontal_views(text: str):
    assert view_words(text) & FRONTAL_VIEWS


@pytest.mark.parametrize("text", LATERAL + BOTH)
def test_lateral_views(text: str):
    assert view_words(text) & LATERAL_VIEWS


@pytest.mark.parametrize("text", FRONTAL + NEITHER)
def test_no_lateral_view(text: str):
    assert not view_words(text) & LATERAL_VIEWS


@pytest.mark.parametrize("text", LATERAL + NEITHER)
def test_no_frontal_view(text: str):
    assert not view_words(text) & FRONTAL_VIEWS


def test_folding():
    assert folded("Tórax Göğüs płuca ＡＰ ı İ ß") == "TORAX GOGUS PLUCA AP I I SS"
    assert folded("흉부 キョウブ ｷｮｳﾌﾞ 胸部") == "흉부 キョウブ キョウブ 胸部"
