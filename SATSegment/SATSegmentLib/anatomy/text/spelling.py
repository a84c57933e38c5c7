"""One spelling per word: plurals, British and American forms, Latin and clinical short forms of single words.

Only changes that can never turn one structure into another are made here; what needs judgement ("PV") is in the
alias tables.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Plurals that no rule makes.
_PLURALS = {
    "amygdalae": "amygdala", "aortae": "aorta", "atria": "atrium", "bronchi": "bronchus", "cervices": "cervix",
    "claviculae": "clavicle", "cochleae": "cochlea", "corpora": "corpus", "costae": "rib",
    "cortices": "cortex", "cunei": "cuneus", "femora": "femur", "fibulae": "fibula", "foramina": "foramen",
    "fossae": "fossa", "ganglia": "ganglion", "gyri": "gyrus", "hippocampi": "hippocampus", "humeri": "humerus",
    "insulae": "insula", "larynges": "larynx", "lentes": "lens", "lenses": "lens", "lymphonodi": "lymphonodus",
    "mandibulae": "mandibula", "maxillae": "maxilla", "menisci": "meniscus", "metastases": "metastasis",
    "nuclei": "nucleus", "ossa": "os", "pallida": "pallidum", "patellae": "patella", "pelves": "pelvis",
    "pharynges": "pharynx", "plexuses": "plexus", "processes": "process", "putamina": "putamen", "radii": "radius",
    "scapulae": "scapula", "septa": "septum", "sinuses": "sinus", "sterna": "sternum", "striata": "striatum",
    "sulci": "sulcus", "testes": "testis", "thalami": "thalamus", "thymi": "thymus", "tibiae": "tibia",
    "tracheae": "trachea", "ulnae": "ulna", "uteri": "uterus", "venae": "vein", "arteriae": "artery",
    "vertebrae": "vertebra", "vertebras": "vertebra", "vestibula": "vestibule", "viscera": "viscera",
    "bronchie": "bronchus", "bronchies": "bronchus", "cavae": "cava", "abscesses": "abscess", "masses": "mass",
    "uteruses": "uterus", "foci": "focus", "effusions": "effusion", "emboli": "embolus", "embolisms": "embolism",
    "diagnoses": "diagnosis", "areas": "area", "amygdalas": "amygdala", "aortas": "aorta", "cochleas": "cochlea",
    "edemas": "edema", "fibulas": "fibula", "insulas": "insula", "scapulas": "scapula", "tibias": "tibia",
    "tracheas": "trachea", "cerebella": "cerebellum", "myocardia": "myocardium", "duodena": "duodenum",
    "crura": "crus", "infarcti": "infarct", "haemorrhages": "hemorrhage", "hemorrhages": "hemorrhage",
    "axes": "axis", "atlases": "atlas", "glottides": "glottis", "pancreata": "pancreas", "corneas": "cornea",
    "retinas": "retina", "maxillas": "maxilla", "patellas": "patella", "carcinomata": "carcinoma",
    "carcinomas": "carcinoma", "schwannomas": "schwannoma", "gliomas": "glioma", "adenomas": "adenoma",
    "gluteii": "gluteus", "glutei": "gluteus", "chiasmata": "chiasm", "chiasms": "chiasm", "sacra": "sacrum",
    "coccyges": "coccyx", "ova": "ovum", "cysts": "cyst", "iliopsoases": "iliopsoas", "gonads": "gonad",
    "hematomas": "hematoma", "lymphomas": "lymphoma", "meningiomas": "meningioma", "pneumonias": "pneumonia",
    "scapulae'": "scapula", "spinae": "spina", "pulmones": "lung", "renes": "kidney", "oculi": "eyeball",
}  # fmt: skip

# Short forms and variants of one word that mean the same wherever they stand beside a structure's other words.
_WORDS = {
    "ant": "anterior", "post": "posterior", "sup": "superior", "inf": "inferior", "lat": "lateral", "med": "medial",
    "int": "internal", "ext": "external", "mid": "middle", "prox": "proximal", "dist": "distal", "asc": "ascending",
    "desc": "descending", "art": "artery", "arteria": "artery", "vena": "vein", "ven": "vein", "vn": "vein",
    "nrv": "nerve", "nv": "nerve", "nervus": "nerve", "glnd": "gland", "gl": "gland", "glandula": "gland",
    "musc": "muscle", "musculus": "muscle", "msc": "muscle", "lig": "ligament", "vert": "vertebra",
    "vertebral": "vertebra", "vertebrum": "vertebra", "thor": "thoracic", "lumb": "lumbar", "cerv": "cervical",
    "sacr": "sacral", "seg": "segment", "segm": "segment", "sgmt": "segment", "segmentum": "segment",
    "disk": "disc", "discus": "disc", "disque": "disc", "submand": "submandibular", "submandib": "submandibular",
    "gray": "grey", "lobus": "lobe", "lobi": "lobe", "lob": "lobe", "costa": "rib", "costal": "costal",
    "nuc": "nucleus", "nucl": "nucleus", "thal": "thalamus", "vent": "ventricle", "ventr": "ventricle",
    "ventriculus": "ventricle", "gyr": "gyrus", "ctr": "center", "tmr": "tumor", "tumors": "tumor", "ca": "cancer",
    "clavicula": "clavicle", "cartilago": "cartilage", "tractus": "tract", "lymphonodus": "node", "caput": "head",
    "pulm": "pulmonary",
    "carot": "carotid", "jug": "jugular", "hippocampal": "hippocampus", "thalamic": "thalamus",
    "esophageal": "esophagus", "prostatic": "prostate", "submandibularis": "submandibular",
    "hip": "hip", "femoral": "femoral", "temp": "temporal", "occ": "occipital", "occip": "occipital",
    "par": "parietal", "front": "frontal", "fron": "frontal", "wm": "wm", "hyperintense": "hyperintensity",
    "vas": "vessel", "canalis": "canal", "gld": "gland", "bonchus": "bronchus", "bladdr": "bladder",
}  # fmt: skip

# Words in s that are singular.
_SINGULAR_S = frozenset(
    ("pancreas", "atlas", "psoas", "iliopsoas", "lens", "dens", "pons", "accumbens", "biceps", "triceps", "quadriceps",
     "gas", "canalis", "glans", "stapes", "ascites", "splenius", "covid", "meninges", "lips", "fauces", "nares")
)  # fmt: skip

_BRITISH = (
    (re.compile("oe(?=soph|dem|str)"), "e"),
    (re.compile("(?<=c)oe(?=li)"), "e"),
    (re.compile("(?<=f)oe(?=t)"), "e"),
    (re.compile("(?<=[hm])ae(?=m|n?ang|t[aeou]|morr)"), "e"),
    (re.compile("(?<=isch)ae(?=m)"), "e"),
    (re.compile("(?<=c)ae(?=c[aiuo])"), "e"),
    (re.compile("(?<=p)ae(?=di)"), "e"),
    (re.compile("umour"), "umor"),
    (re.compile("umou$"), "umo"),
    (re.compile("^centre"), "center"),
    (re.compile("fibre"), "fiber"),
    (re.compile("orrhage|orhage|orrage"), "orrhage"),
    (re.compile("^chiasma$"), "chiasm"),
)

_MAYBE_BRITISH = re.compile("ae|oe|umou|^centre|fibre|rage|^chiasma")

_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def fold(text: str) -> str:
    """Lower case without accents and compatibility forms: "Œsophage" -> "oesophage"; case only where it is ASCII."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().translate(_LIGATURES)


@lru_cache(maxsize=32768)
def canonical_word(word: str) -> tuple[str, bool]:
    """The one spelling of a lower-case word, and whether it was a plural."""
    if len(word) < 2:
        return word, False
    if _MAYBE_BRITISH.search(word):
        for pattern, replacement in _BRITISH:
            word = pattern.sub(replacement, word)
    if word in _PLURALS:
        return _PLURALS[word], True
    if word in _WORDS:
        return _WORDS[word], False
    if len(word) > 4 and word.endswith("ae"):
        # A Latin plural, or a genitive ("vena portae", "erector spinae"): not taken for a plural.
        return word[:-1], False
    singular = _without_s(word)
    if singular != word:
        return _WORDS.get(singular, singular), True
    return word, False


def _without_s(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word in _SINGULAR_S or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "uses", "ises", "reases")):
        return word[:-2]
    return word[:-1]
