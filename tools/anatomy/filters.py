"""Which Uberon terms are human anatomy: Uberon spans all animals, embryos and the scaffolding of an ontology.

Rules only, no list of single terms to keep: what a term is called, what its definition says, what it descends from,
and the block of ids it was minted in (Uberon took over whole ontologies block by block: fish 2000000, frogs 3000000,
insects 6000000, ...). Each rule is there because an audit of random terms found what it catches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import Path

from sources import UberonTerm


class Verdict(Enum):
    """Where a term goes: the default view, the table but hidden, or nowhere."""

    HUMAN = "human"
    DEVELOPMENTAL = "developmental"
    GROUPING = "grouping"
    NON_HUMAN = "non-human"


# Blocks of ids (digits after "UBERON:") that other animals' ontologies were merged into.
_ANIMAL_BLOCKS = ("2", "3", "4", "5", "6", "7", "16", "86", "88")
# Terms in those blocks that are human anatomy all the same are let in by a DICOM or MeSH name, see `judge`.

_ANIMALS = (
    r"fish(es)?|teleost\w*|zebrafish|shark\w*|amphibia\w*|frogs?|reptil\w*|birds?|avian|aves|insect\w*|drosophil\w*|"
    r"arthropod\w*|mollus\w*|cephalopod\w*|ruminant\w*|bats?|cats?|dogs?|canine species|horses?|equine|bovine|cattle|"
    r"sheep|pigs?|porcine|snakes?|lizards?|crocodil\w*|turtles?|elasmobranch\w*|sauropsid\w*|dinosaur\w*|"
    r"marsupial\w*|monotreme\w*|lampreys?|hagfish\w*|echinoderm\w*|annelid\w*|nematod\w*|crustacea\w*|tunicat\w*|"
    r"cnidari\w*|ctenophor\w*|invertebrat\w*|salamander\w*|urodel\w*|anura\w*|actinopteryg\w*|sarcopteryg\w*|"
    r"gnathostom\w*|chondrichthy\w*|osteichthy\w*|ungulate\w*|carnivor\w*|cetacea\w*|whales?|dolphins?|elephants?|"
    r"chickens?|chick|xenopus|larva\w*|lagomorph\w*|rabbits?|spiders?|worms?|bivalv\w*|gastropod\w*|deuterostom\w*|"
    r"squamat\w*|caprine|camel\w*|deer|bees?|ants?|termites?|mosquito\w*|platypus|seals?|primates other"
)
_RODENTS_MONKEYS = r"rodents?|mouse|mice|rats?|murine|macaques?|monkeys?|of walker|burwell|paxinos|krieg|swanson"
# In the name of a term any animal is telling; in a definition only where it says who has the structure.
_NAME_OF_ANIMAL = re.compile(rf"\b({_ANIMALS}|{_RODENTS_MONKEYS}|sensu|vertebrate|nonhuman|non-mammalian)\b", re.I)
_DEFINITION_OF_ANIMAL = re.compile(
    rf"(^(a|an|the|any|one of)?[^.]*\b(in|of|found in|possessed by|present in|characteristic of|unique to|many|some|"
    rf"most|male|female|certain|all|other)\s+(the\s+|many\s+|most\s+|some\s+|other\s+|adult\s+|all\s+|certain\s+|"
    rf"several\s+|lower\s+|higher\s+)*({_ANIMALS}))\b",
    re.I,
)
# Brain maps of rats and monkeys: their areas have no counterpart of the same name in people.
_DEFINITION_OF_MAMMAL = re.compile(r"\b(guenon|macaques?|monkeys?|rats?|mouse|mice|rodents?|lemurs?)\b", re.I)

_NON_HUMAN_NAME = re.compile(
    r"\b(fins?|gills?|feathers?|tails?|tail-?\w*|caudal (vertebra|fin|peduncle|skeleton)\w*|caudal|antlers?|hoof|hooves|"
    r"carapace|plastron|shell|egg(shell)?|beaks?|bill|snout|muzzle|whiskers?|vibrissa\w*|wings?|wing\w*|claws?|paws?|"
    r"trunk of elephant|swim bladder|lateral line|electric organ|barbels?|operculum series|cloaca\w*|crop|gizzard|"
    r"syrinx|udder|teat|rumen|reticulum compartment|omasum|abomasum|forestomach|proventricul\w*|uterine horns?|"
    r"baculum|os penis|baubellum|clitoris bone|nictitating|tapetum lucidum|tapetum|pecten oculi|scleral ossicles?|"
    r"ossicle of sclera|vomeronasal|accessory olfactory|jacobson\w*|venom\w*|poison|scent gland|anal sac|musk|"
    r"preputial gland|cowper|harderian|infraorbital gland|hardarian|pelage|fur|guard hairs?|mane|scales?|scute\w*|osteoderm\w*|"
    r"ceratohyal|ceratobranchial|epibranchial|basibranchial|hypobranchial|pharyngobranchial|branchial|branchio\w*|"
    r"hyomandibul\w*|quadrate bone|articular bone|angular bone|surangular|dentary|splenial|postorbital bone|"
    r"premaxill\w*|prefrontal bone|postfrontal|quadratojugal|squamosal bone|pterygoid bone|interparietal bone|"
    r"parasphenoid|pleurosphenoid|orbitosphenoid|basisphenoid|presphenoid|alisphenoid|basioccipital|exoccipital|"
    r"supraoccipital|opisthotic|prootic|epiotic|pterotic|sphenotic|interclavicle|cleithr\w*|coracoid bone|furcula|"
    r"epipubic|prepub\w+ bone|gastralia|uncinate process of rib|pygostyle|urostyle|notarium|synsacrum|"
    r"tarsometatarsus|tibiotarsus|tibiofibula|radio-?ulna\b|cannon bone|splint bone|dew ?claw|fetlock|hock|"
    r"carpus region of|prepollex|prehallux|pubic scute|dermal (bone|skeleton|element|armor)|neuromast|ampulla of loren\w*|"
    r"saccus vasculosus|weberian|hemal|haemal|hypural\w*|epural\w*|pterygiophore|lepidotrich\w*|actinotrich\w*|"
    r"statocyst|ommatid\w*|antenna\w*|mandibulate|thoracopod|maxilliped|telson|spiracle|trachea\w* tube|"
    r"proboscis|tentacle\w*|siphon\w*|mantle|radula|nephridi\w*|malpighian|fat body|cuticle|gonopod\w*|"
    r"spermatheca\w*|bursa copulatrix|hepatopancreas|digestive gland of|nerve cord of|ventral nerve cord|"
    r"yolk\w*|chorioallantoic|allanto\w*|trophectoderm|blasto\w*|hypochord|archinephric|opisthoneph\w*|holoneph\w*|"
    r"median eye|parietal eye|parapineal|paraphysis|dorsal sac|wulst|hyperpallium|hyperstriatum|neostriatum|"
    r"nidopallium|mesopallium|arcopallium|entopallium|ectostriatum|paleostriatum|archistriatum|optic tectum|tectal ventricle|torus (longitudinalis|lateralis)|"
    r"valvula cerebelli|corpus cerebelli|eminentia granularis|lobus vestibulolateralis|electrosensory\w*|"
    r"facial lobe|vagal lobe|olfactory sac of|dorsal ventricular ridge|bulbus arteriosus|conus arteriosus of|"
    r"postcaval|brown-?fat pad of|left anterior vena cava|hemipen\w*|copulatory|oviduct shell|nidamental\w*|"
    r"mesonephr\w* of|pseudobranch\w*|hyoid arch|palatoquadrate|meckel\w* cartilage|splanchnocranium|chondrocranium|"
    r"viscerocranium of|neurocranium of|paedomorphic|nuptial|dewlap|wattle\w*|comb and|panniculus carnosus|"
    r"cutaneous trunci|cheek pouch\w*|laryngeal sac|air sacs?|parabronch\w*|omental bursa of|supracoracoideus|"
    r"dorsalis scapulae|latissimus ventralis|cutaneus maximus|coccygeus of|caudofemoralis|ischiotrochantericus|"
    r"xenarthrous|anapophysis|diastema|carnassial|tusk\w*|fang\w*|premolar [34]|incisor tooth 3|molar tooth [4-9]|"
    r"vertebra 1[3-9]|thoracic vertebra 1[3-9]|rib 1[3-9]|(lumbar) vertebra [67]|sacral vertebra 6|"
    r"rib 2\d|digits? ([6-9]|1\d)|digit 6|siphonoglyph|comb plate|coelom|somatopleure|splanchnopleure|"
    r"pes|manus|zeugopod\w*|stylopod\w*|autopod\w*|acropod\w*|mesopod\w*|metapod\w*|basipod\w*|podial|propodium|"
    r"epipod\w*|digitopod\w*|"
    r"spur|lingual septum of|lyssa|rhinarium|planum nasale|philtrum of|velum interpositum of|hyoplastron)\b",
    re.I,
)

_DEVELOPMENTAL_NAME = re.compile(
    r"\b(embryo\w*|f(o)?etal|f(o)?etus|future|presumptive|prospective|primordi\w*|anlage|placod\w*|somit\w*|"
    r"limb bud|\w+ bud(s)?|bud|mesenchyme|pre-muscle|premuscle|pre-cartilage|precartilage|condensation|cartilage element|"
    r"cartilage condensation|primitive|neural (plate|fold|crest|tube|groove|keel|rod)|pharyngeal (arch|pouch|cleft|groove)\w*|"
    r"rhombomer\w*|prosomer\w*|neuromer\w*|mesomer\w*|neural tube|sclerotome|dermomyotome|myotome|dermatome of|"
    r"ectoderm|endoderm|mesoderm|germ layer|gastrula|blastula|morula|zygote|trophoblast\w*|notochord\w*|"
    r"pronephr\w*|mesonephr\w*|metanephr\w*|wolffian|m[uü]llerian|paramesonephr\w*|urogenital (ridge|sinus|fold)\w*|genital (ridge|tubercle|swelling)|"
    r"gonadal ridge|cardiogenic|heart (tube|primordium|field)|bulbus cordis|truncus arteriosus|sinus venosus|"
    r"dorsal aorta|cardinal vein\w*|vitelline|omphalomesenteric|aortic arch [1-6]|pharyngeal arch artery|"
    r"telencephalic vesicle|vesicle of|optic (vesicle|cup|stalk|fissure)|otic (vesicle|pit|cup)|lens (vesicle|pit|placode)|nasal (pit|process)|"
    r"olfactory (pit)|diocoel\w*|\w+coel|foregut|midgut|hindgut|archenteron|stomod\w*|proctod\w*|"
    r"hindbrain[- ]midbrain|ventricular zone|subventricular zone|marginal zone of embryo\w*|cortical plate|subplate|"
    r"ganglionic eminence|rhombic lip|floor plate|roof plate|alar plate|basal plate|isthmic organizer|"
    r"migrat\w*|stage|pioneer|gubernacul\w*|decidua\w*|chorionic|amnio\w*|amnion|chorion|umbilical|placenta\w*|"
    r"secondary heart field|septum transversum|mesocardium|dorsal mesentery|ventral mesentery of|"
    r"neuroectoderm|neuroepithelium|epithalamus of|ectodermal|endodermal|mesodermal|rudiment|vestigial|"
    r"jugular lymph sac|lymph sac|apical ectodermal ridge|zone of polarizing\w*|hyoblast|cambial|"
    r"endochondral element|segment mesenchyme|blastema|enamel organ|dental (papilla|lamina|follicle|sac)|tooth placode|"
    r"rathke\w*|thyroid (diverticulum|primordium)|lung bud|ureteric bud|ductus (venosus|arteriosus)|"
    r"foramen ovale of heart|pouch \d|membranous labyrinth of embryo)\b",
    re.I,
)
_DEVELOPMENTAL_ROOTS = frozenset(
    {
        "UBERON:0005423",  # developing anatomical structure
        "UBERON:0000922",  # embryo
        "UBERON:0002050",  # embryonic structure
        "UBERON:0002532",  # epiblast (generic)
        "UBERON:0000478",  # extraembryonic structure
        "UBERON:0016887",  # entire extraembryonic component
        "UBERON:0000104",  # life cycle
        "UBERON:0035943",  # life cycle temporal boundary
    }
)
# Whole branches of animals' structures.
_NON_HUMAN_ROOTS = frozenset(
    {
        "UBERON:0002415",  # tail
        "UBERON:0008897",  # fin
        "UBERON:0000022",  # feather
        "UBERON:0002535",  # gill
        "UBERON:0002536",  # arthropod sensillum
        "UBERON:0000162",  # cloaca
        "UBERON:0010188",  # protuberance of arthropods
        "UBERON:0014400",  # hindlimb zeugopod skin of animals
        "UBERON:0000023",  # wing
        "UBERON:0007365",  # rumen
        "UBERON:0010222",  # anatomical surface of shell
    }
)

_GROUPING_NAME = re.compile(
    r"/|\b(anatomical (entity|structure|system|space|group|cluster|collection|line|surface|point|boundary|conduit|wall|projection)|"
    r"organism|skeletal element|endochondral (bone|element)|membrane bone|limb/fin|paired limb\w*|"
    r"subdivision of|segment of|\w+-derived structure|(lateral|material|immaterial|multicellular|multi-tissue) (anatomical )?(structure|entity)|"
    r"collection of|set of|vertebral element|element|appendage( girdle)?( complex| region)?|girdle complex|pectoral complex|pelvic complex|"
    r"main body axis|body proper|craniocervical region|axial complex|complex organ|compound organ|organ (part|subunit|component layer|subdivision|system subdivision)|"
    r"multi cell|multi organ|cell part|non-connected|disconnected|simple|entire|gross anatomical|"
    r"cavitated|tetrapod|chordate|amniote|mammalian|eutherian|therian|"
    r"quale|regional part|zone of|component|process of organ|structure with developmental|hollow|delimited|"
    r"bounding layer|head or neck|trunk region|neck or|upper limb (and|or)|lower limb (and|or)|unilaminar|multilaminar|"
    r"presumptive|specific|biological|morphological feature|laterally|generic)\b",
    re.I,
)


def _read_rejected() -> dict[str, re.Pattern[str]]:
    """The word list: a pattern for each of its sections."""
    words: dict[str, list[str]] = {}
    section = ""
    for line in (Path(__file__).parent / "rejected_words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            words[section] = []
        elif line and not line.startswith("#"):
            words[section].append(line)
    return {name: re.compile(rf"(?<!\w)({'|'.join(lines)})(?!\w)", re.I) for name, lines in words.items()}


_REJECTED = _read_rejected()


def judge(term: UberonTerm, named_elsewhere: bool) -> Verdict:
    """Whether a term is human anatomy.

    Parameters
    ----------
    term: the term.
    named_elsewhere: whether DICOM, MeSH's human anatomy or SAT has the structure under the same name.
    """
    if term.ancestors & _DEVELOPMENTAL_ROOTS or term.id in _DEVELOPMENTAL_ROOTS:
        return _animal(term, named_elsewhere) or Verdict.DEVELOPMENTAL
    if named_elsewhere:
        return Verdict.GROUPING if "/" in term.label else Verdict.HUMAN
    animal = _animal(term, named_elsewhere)
    if animal:
        return animal
    if _DEVELOPMENTAL_NAME.search(term.label) or _REJECTED["developmental"].search(term.label):
        return Verdict.DEVELOPMENTAL
    if _GROUPING_NAME.search(term.label) or _REJECTED["grouping"].search(term.label):
        return Verdict.GROUPING
    return Verdict.HUMAN


def _animal(term: UberonTerm, named_elsewhere: bool) -> Verdict | None:
    if named_elsewhere:
        return None
    if term.id.partition(":")[2].startswith(_ANIMAL_BLOCKS):
        return Verdict.NON_HUMAN
    if (term.ancestors | {term.id}) & _NON_HUMAN_ROOTS:
        return Verdict.NON_HUMAN
    if any(p.search(term.label) for p in (_NAME_OF_ANIMAL, _NON_HUMAN_NAME, _REJECTED["non-human"])):
        return Verdict.NON_HUMAN
    of_animal = _DEFINITION_OF_ANIMAL.search(term.definition) or _DEFINITION_OF_MAMMAL.search(term.definition)
    if of_animal and not re.search(r"\bhumans?\b", term.definition, re.I):
        return Verdict.NON_HUMAN
    return None


def judge_all(terms: Mapping[str, UberonTerm], named_elsewhere: Set[str]) -> dict[str, Verdict]:
    """The verdict on every term."""
    return {key: judge(term, key in named_elsewhere) for key, term in terms.items()}
