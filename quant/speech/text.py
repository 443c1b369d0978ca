"""The sentences of the embedded corpus: a vocabulary and a grammar written for this project.

Sentences are drawn at random, so nothing can be learnt by heart, and each belongs to exactly one split: a hash of
its words decides which. The same sentence therefore never occurs both in training and in dev or test, however many
speakers read it and in whatever order they are generated.

Words were chosen for their sounds as much as for their sense: every category contains words with the phones that
are rare in running English (the vowels of *boy*, *book*, *house*; the consonants of *church*, *judge*, *think*,
*measure*, *young*, *ring*), so that all 39 scored phones occur often.
"""

import hashlib
import re

import numpy as np

WORDS: dict[str, tuple[str, ...]] = {
    category: tuple(words.split())
    for category, words in {
        "person": """captain teacher butcher judge jockey cowboy boy youth baker usher mother brother father uncle
            cousin doctor nurse pilot soldier shepherd poet author painter lawyer tailor drummer singer chief
            chauffeur cook gardener goldsmith wizard giant pharaoh king queen duchess lady neighbor stranger joker
            hunter fisher traitor voyager employer viking swimmer witness youngster magician banker hiker plumber
            sculptor earl clown viceroy thinker cyclist coach""",
        "thing": """book cushion bush hook pillow feather treasure journal jewel jigsaw engine orange cage bridge
            badge message package garage watch church chair cheese chain peach torch match kitchen bucket jug jacket
            jar pouch couch towel tower flower cloud mountain fountain crown gown voice toy coin oyster poison oil
            boiler moisture thumb thread thistle path cloth mouth tooth wreath moth leather ring song wing lung
            finger shingle yacht yard yolk onion unicorn cube music vase van vest valley river shovel glove stove
            wave fish shell shadow shirt shoe brush bishop ocean machine station garden gate goat guitar goose gift
            fog flag leg house horse hammer hat hill harbor hood wood wool wolf pudding window wagon whistle wheel
            whale letter water butter ladder pedal bottle button city saddle spider spoon spade spear star stone
            string sparrow turnip carrot cart car barn farm alarm heart door floor store corn fork horn bird worm
            nurse shirt skirt beard deer pier chair bear square pear stair tour lure zebra zipper puzzle razor rose
            nose bees lizard lemon mirror mango map napkin needle nickel pencil paper penny apple acorn anchor ankle
            elbow eagle egg engine ice iron island ivy oak oat oboe owl ounce uniform umbrella arrow attic arm echo
            camera banana pajama table tulip television calendar dinosaur elephant potato tomato violin""",
        "plural": """books cushions hooks treasures journals badges bridges messages cages watches churches peaches
            matches coaches pouches towels towers clouds mountains crowns toys coins oysters voices noises choices
            thumbs threads paths moths teeth rings songs wings fingers yachts yards onions cubes vases vans gloves
            waves leaves knives fishes shells brushes dishes machines stations gates goats geese gifts flags legs
            houses horses hammers hats hills hoods wolves windows whistles wheels letters ladders bottles buttons
            cities spiders spoons stars stones carrots cars farms doors floors forks horns birds shirts bears pears
            stairs zebras puzzles roses lizards lemons maps needles pencils apples eagles eggs islands oaks owls
            arrows elephants tomatoes violins thieves youths earths visions""",
        "adjective": """good full wooden woolen crooked huge gentle ginger strange large orange jolly rich cheap
            chilly charming lucky loud proud brown sour cloudy noisy royal oily moist joyful spoiled annoying thick
            thin thirsty healthy worthy smooth northern southern young yellow useful unique usual casual leisurely
            vague vast velvet violet shy sharp short shiny special gray green golden grim great hungry heavy happy
            hollow humble windy warm white wild wise pretty bitter better little dirty muddy red round rusty rapid
            lazy dizzy busy frozen fuzzy early certain purple curved dark hard far weird near fair rare poor pure
            tired blue cool smooth new ripe open old ancient empty eager easy icy ugly other awful odd orderly
            honest simple quiet fresh foolish clever marvelous enormous beautiful""",
        "transitive": """took shook pushed pulled put cooked understood judged managed changed charged damaged
            engaged watched reached searched touched chased chose found counted surrounded announced allowed enjoyed
            destroyed avoided joined pointed poisoned employed thanked threw thought bathed breathed gathered
            smoothed brought sang hung banged used viewed yanked measured treasured televised valued saved loved
            received washed fished finished polished shared gave guarded grabbed forgot got hid held heard hurried
            heated wanted watered wore wove painted wrote rated needed studied admired rode read raised zipped
            teased noticed bought burned earned turned served learned stirred started carved marked stored ignored
            cared feared cheered repaired cured borrowed followed carried kept kicked caught cut left lost made
            moved mixed met named asked opened owned offered accepted ate baked built dropped drew""",
        "intransitive": """stood looked laughed jumped marched cheated chuckled chatted charged bowed shouted
            frowned howled rejoiced toiled annoyed breathed sang thought vanished yelled yawned yodeled shivered
            shouted rushed grinned giggled galloped hummed hurried hid wept waited wandered whispered whistled waved
            wondered arrived returned rested prayed paused dozed gazed sneezed worked turned stumbled snored soared
            started departed appeared disappeared cared dared swore fell slept smiled laughed napped knelt knocked
            argued agreed escaped ached danced dreamed""",
        "adverb": """soon often early proudly loudly joyfully noisily gently strangely richly cheerfully
            thoughtfully smoothly youthfully usually casually vaguely shyly sharply greedily gladly happily
            hopefully warmly wildly quietly prettily bitterly lazily easily busily certainly surely hardly rarely
            fairly clearly merrily slowly boldly eagerly openly oddly awfully always never forever together
            everywhere anyhow again""",
        "place": """kitchen garden harbor village valley chapel church garage jungle jail theater cathedral bathroom
            museum office beach ranch cottage station mansion ocean river hallway house tower town county fountain
            mountain meadow highway school pool wood brook hotel attic cellar city castle market park yard barn farm
            airport shore store stair square hospital island igloo orchard university zoo cinema bay lake cave
            crossing building lounge playground boiler-room embassy""",
        "where": """near by under behind above around beyond beside outside inside through throughout against across
            along below""",
        "when": """yesterday today tonight tomorrow on|Monday on|Tuesday on|Wednesday on|Thursday on|Friday
            on|Saturday on|Sunday in|January in|July in|March in|August in|the|evening in|the|morning at|noon
            at|night at|dawn last|year this|month every|hour once|again at|length for|an|hour for|a|while
            before|lunch after|dinner in|autumn all|the|time each|Thursday twice|a|year""",
        "name": """George Joyce Roy Floyd Joan Julia Jack Ginger Charles Chuck Rachel Richard Theo Edith Ruth Keith
            Heather Hugo Hugh Eugene Yolanda Yuri Oscar Aubrey Audrey Owen Olive Howard Powell Brook Woody Vera
            Victor Vivian Sheila Shawn Patricia Sasha Gail Gus Agatha Zoe Zachary Susan Irving Sterling Ingrid Pearl
            Bert Irma Martha Arthur Mark Clara Laura Nora Morgan Pierre Pete Betty Otto Peter Dora Eve Ian Ada Bob
            Anne Emma Lou Sue Moira Desmond Matthew Ursula Bernard""",
        "number": """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred|and|one
            thousand many several""",
        "food": """chowder cheese chocolate porridge sausage cabbage orange|juice ginger|ale sugar pudding cookies
            soy|sauce broth trout sour|dough oysters yogurt yams fudge toffee figs gravy garlic mushrooms radishes
            fish hash ham honey butter bread berries barley tea beef peas soup stew rice pie ice|cream cake steak
            oats toast veal vinegar vanilla noodles melon lamb pepper pumpkin parsley walnuts almonds meatballs""",
        "pronoun": "he she they we you",
        "possessive": "his her their our your my",
        "determiner": "the the the a this that each another every one",
        "quantity": "these those many most some few all|the both|the three|of|the enough",
        "modal": "should could would might must will can shall may",
        "base": """judge join enjoy avoid destroy push pull cook choose change touch watch search teach thank bathe
            hang bring use view measure value love leave give guard hide hold hear wash share show want wear paint
            write need study raise read squeeze buy burn serve learn start mark store fear cheer repair cure follow
            carry keep catch cut lose make move mix meet ask open offer eat build drop draw find count announce
            understand borrow treasure think|about look|at laugh|at wait|for""",
        "conjunction": "and but while because although when if until before so since",
    }.items()
    for words in [re.sub(r"\s+", " ", words)]
}

TEMPLATES: tuple[str, ...] = (
    "<determiner> <adjective> <person> <transitive> <determiner> <thing>.",
    "<determiner> <person> <adverb> <transitive> <quantity> <adjective> <plural>.",
    "<name> <transitive> <possessive> <thing> <where> the <place>.",
    "<when>, <name> <intransitive> <where> the <adjective> <place>.",
    "<pronoun> <modal> <base> the <thing> <when>.",
    "<modal> <pronoun> <base> <possessive> <adjective> <thing>?",
    "<number> <adjective> <plural> <intransitive> <where> the <place>.",
    "<name> and <name> <transitive> <number> <plural> <when>.",
    "please <base> the <adjective> <food> and the <thing>.",
    "why did <name> <base> <possessive> <plural>?",
    "<possessive> <person> <intransitive> <conjunction> the <thing> was <adjective>.",
    "there were <number> <plural> <where> <possessive> <place>.",
    "never <base> <determiner> <adjective> <thing> <where> the <place>.",
    "<name> ate <food>, <food> and <adjective> <food>.",
    "the <thing> of the <person> was <adjective> and <adjective>.",
    "<pronoun> <adverb> <transitive> the <place> <conjunction> the <person> <intransitive>.",
    "how <adjective> the <adjective> <thing> looked <where> the <thing>!",
    "<quantity> <plural> <transitive> the <adjective> <person>.",
    "which <person> <transitive> the <food> <when>?",
    "<name>, <base> <possessive> <thing> <adverb>.",
    "if <pronoun> <transitive> the <food>, <name> <modal> <base> it.",
    "<determiner> <thing> and <determiner> <thing> were <where> the <adjective> <place>.",
    "I <modal> <adverb> <base> <number> <adjective> <plural>.",
    "the <place> <where> the <place> is <adjective> <conjunction> <adjective>.",
    "<name> is a <adjective> <person> with a <adjective> <thing>.",
    "not a <person> nor a <person> <transitive> the <thing>.",
)

_SLOT = re.compile(r"<(\w+)>")
_VOWEL_START = re.compile(r"\ba (?=(?!uni|use|eu|one|ewe|ura)[aeiou]|hour|honest)", re.IGNORECASE)


def vocabulary() -> set[str]:
    """All different words that a sentence can contain, in lower case."""
    words = {w.lower() for choices in WORDS.values() for choice in choices for w in choice.split("|")}
    for template in TEMPLATES:
        words.update(w.lower() for w in re.findall(r"[A-Za-z]+", _SLOT.sub(" ", template)))
    return words


def draw_sentence(rng: np.random.Generator) -> str:
    """One random sentence of the grammar, capitalised and punctuated."""

    def fill(match: re.Match[str]) -> str:
        choices = WORDS[match.group(1)]
        return choices[int(rng.integers(len(choices)))].replace("|", " ")

    text = _SLOT.sub(fill, TEMPLATES[int(rng.integers(len(TEMPLATES)))])
    text = _VOWEL_START.sub(lambda m: m.group(0)[0] + "n ", text)
    return text[0].upper() + text[1:]


def split_of(sentence: str) -> str:
    """The only split in which a sentence may occur: one in ten is dev's, one in ten is test's, by its SHA-256."""
    bucket = hashlib.sha256(sentence.lower().encode()).digest()[0] % 10
    return {0: "dev", 1: "test"}.get(bucket, "train")


def draw_split_sentence(split: str, rng: np.random.Generator) -> str:
    """One random sentence that belongs to `split` ("train", "dev" or "test")."""
    while True:
        sentence = draw_sentence(rng)
        if split_of(sentence) == split:
            return sentence
