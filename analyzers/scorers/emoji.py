"""Emoji told in the words that people mean by them, so that a model that knows English understands them."""

from __future__ import annotations

import re

from analyzers.scorers.normalize import picture_name

TONES = {
    "\U0001f3fb": "white",
    "\U0001f3fc": "white",
    "\U0001f3fd": "brown",
    "\U0001f3fe": "black",
    "\U0001f3ff": "black",
}
MEANT = {
    "😀": "happy", "😂": "laughing", "🤣": "laughing",
    "😆": "laughing", "😅": "nervous laugh", "😊": "smiling", "🙂": "smiling",
    "😍": "loving", "🥰": "loving", "😘": "kiss", "😎": "cool", "🤩": "amazed", "😇": "angel", "😉": "wink", "😋": "yummy",
    "😏": "smirk", "😒": "annoyed", "🙄": "annoyed eye roll", "😑": "annoyed", "😐": "unimpressed", "😤": "furious",
    "😠": "angry", "😡": "angry", "🤬": "angry swearing", "👿": "evil", "😈": "evil", "💢": "anger",
    "🤮": "vomit", "🤢": "disgusting", "🤧": "sick", "😷": "sick mask", "🤒": "sick", "🥴": "drunk", "😵": "dizzy",
    "😢": "sad", "😭": "crying", "😔": "sad", "😞": "sad", "😩": "tired", "😱": "scared", "😨": "scared", "😰": "scared",
    "🤔": "thinking", "🤨": "doubtful", "🤯": "shocked", "🤥": "liar", "🤡": "clown", "💩": "shit", "👻": "ghost", "💀": "dead",
    "☠": "death", "⚰": "coffin dead", "🪦": "grave dead", "👹": "monster", "👺": "monster", "🤪": "crazy", "🤓": "nerd",
    "❤": "love", "💚": "love", "💙": "love", "💜": "love", "🧡": "love", "💛": "love", "🖤": "love", "💕": "love", "💖": "love",
    "💗": "love", "💘": "love", "💞": "love", "💓": "love", "💔": "heartbroken", "🎉": "celebrate", "👏": "applause",
    "🙌": "hooray", "🙏": "please thanks", "💪": "strong", "👍": "good", "👎": "bad", "👌": "okay", "🖕": "fuck you",
    "✊": "fist", "👊": "punch", "🤛": "punch", "🤜": "punch", "👋": "bye", "🤝": "handshake", "🙅": "no", "🙅‍♂️": "no",
    "🚫": "forbidden", "❌": "no", "⛔": "forbidden", "🛑": "stop",
    "✅": "yes", "✔": "yes", "💯": "totally", "‼": "!", "❗": "!",
    "❓": "?", "🔪": "knife", "🗡": "sword", "⚔": "swords", "🔫": "gun", "💣": "bomb", "🧨": "explosive", "💥": "explosion",
    "🔥": "fire", "🪓": "axe", "🔨": "hammer",
    "🏹": "bow and arrow", "🧯": "fire extinguisher", "🩸": "blood", "☢": "radioactive",
    "🗑": "trash", "🚮": "trash", "🚽": "toilet", "🧻": "toilet paper", "🚯": "trash", "🧹": "broom", "🧼": "soap",
    "♿": "disabled people", "🦽": "wheelchair", "🦼": "wheelchair", "🦯": "blind", "🦻": "deaf", "🧏": "deaf person",
    "🌈": "gay rainbow", "🏳": "white flag", "⚧": "transgender", "👬": "gay men", "👭": "lesbian women", "👫": "couple",
    "💏": "couple kissing", "💑": "couple in love", "👪": "family", "⚢": "lesbian", "⚣": "gay",
    "🧕": "muslim woman", "👳": "muslim man in turban", "🕌": "mosque",
    "☪": "islam", "🕋": "mecca islam", "📿": "prayer beads",
    "✡": "jewish", "🕍": "synagogue", "🕎": "jewish menorah", "✝": "christian", "⛪": "church", "☦": "orthodox christian",
    "🕉": "hindu", "☸": "buddhist", "🛕": "hindu temple", "👲": "chinese man", "🥷": "ninja", "👮": "police officer",
    "🐀": "rat", "🐁": "mouse", "🐒": "monkey", "🐵": "monkey", "🙈": "monkey", "🙊": "monkey", "🙉": "monkey", "🦍": "gorilla",
    "🦧": "ape", "🐷": "pig", "🐖": "pig", "🐽": "pig", "🐍": "snake", "🐕": "dog", "🐶": "dog", "🐩": "dog", "🐐": "goat",
    "🐑": "sheep", "🐄": "cow", "🐮": "cow", "🐴": "horse",
    "🫏": "donkey", "🪳": "cockroach", "🐜": "ant", "🐛": "bug", "🐞": "bug",
    "🦗": "bug", "🕷": "spider", "🦠": "virus", "🐌": "snail", "🐔": "chicken", "🦊": "fox", "🐳": "whale", "🐋": "whale",
    "🍆": "penis", "🍑": "butt", "🍒": "breasts", "💦": "sperm",
    "🥵": "horny", "🐓": "cock", "🐈": "pussy cat", "🐱": "pussy cat",
    "👶": "baby", "👧": "girl", "👦": "boy", "👩": "woman", "👨": "man", "🧑": "person", "👵": "old woman", "👴": "old man",
    "🧓": "old person", "👱": "blond person", "🧔": "bearded man",
    "🙋": "person raising hand", "🤷": "shrug", "🤦": "facepalm",
    "🤰": "pregnant", "🤱": "breastfeeding mother", "🧠": "brain",
    "👀": "eyes", "💉": "injection", "💊": "pills", "🏥": "hospital",
    "✈": "airplane", "🚢": "ship", "🛂": "border control", "🧱": "wall",
    "🏠": "home", "🏡": "home", "🌍": "world", "🌎": "world",
    "🍚": "rice", "🍌": "banana", "🍉": "watermelon", "🍗": "fried chicken",
    "🌮": "taco", "🥖": "bread", "🦇": "bat", "🐼": "panda",
    "💰": "money", "💵": "money", "💸": "money", "🤑": "greedy", "👃": "nose", "👑": "queen", "🗳": "vote", "⚖": "justice",
    "⚫": "black", "⬛": "black", "⚪": "white", "⬜": "white", "🟤": "brown", "🟫": "brown", "🟡": "yellow", "🟨": "yellow",
    "🔴": "red", "🌚": "black moon", "🌝": "moon", "➡": "to",
    "👉": "to", "👈": "from", "⬅": "from", "➕": "plus", "➖": "minus",
}  # fmt: skip
LETTERS = {
    "🅰": "a",
    "🅱": "b",
    "🅾": "o",
    "🅿": "p",
    "⭕": "o",
    "💲": "s",
    "ℹ": "i",
    "Ⓜ": "m",
    "❎": "x",
    "✖": "x",
    "✝": "t",
}
"""Emoji that stand for a letter when they touch one."""

JOINED = (
    ("🏳\u200d🌈", "gay pride flag"), ("🏳\u200d⚧", "transgender flag"), ("🏴\u200d☠", "pirate flag"),
    ("👨\u200d❤\u200d💋\u200d👨", "gay men kissing"), ("👨\u200d❤\u200d👨", "gay men in love"),
    ("👩\u200d❤\u200d💋\u200d👩", "lesbian women kissing"), ("👩\u200d❤\u200d👩", "lesbian women in love"),
    ("👨\u200d👨\u200d👧", "gay fathers family"), ("👩\u200d👩\u200d👧", "lesbian mothers family"),
    ("👨\u200d👨\u200d👦", "gay fathers family"), ("👩\u200d👩\u200d👦", "lesbian mothers family"),
    ("👨\u200d🦽", "disabled man"), ("👩\u200d🦽", "disabled woman"), ("🧑\u200d🦽", "disabled person"),
    ("👨\u200d🦼", "disabled man"), ("👩\u200d🦼", "disabled woman"), ("👨\u200d🦯", "blind man"),
    ("👩\u200d🦯", "blind woman"),
)  # fmt: skip
PEOPLES = {
    "AF": "afghan", "AE": "emirati", "AR": "argentinian", "AU": "australian", "BD": "bangladeshi", "BR": "brazilian",
    "CA": "canadian", "CN": "chinese", "CO": "colombian",
    "CU": "cuban", "DE": "german", "EG": "egyptian", "ES": "spanish",
    "ET": "ethiopian", "EU": "european", "FR": "french",
    "GB": "british", "GH": "ghanaian", "GR": "greek", "HT": "haitian",
    "ID": "indonesian", "IE": "irish", "IL": "israeli", "IN": "indian", "IQ": "iraqi", "IR": "iranian", "IT": "italian",
    "JM": "jamaican", "JP": "japanese", "KE": "kenyan", "KP": "north korean", "KR": "korean", "LB": "lebanese",
    "LY": "libyan", "MA": "moroccan", "MX": "mexican",
    "NG": "nigerian", "NL": "dutch", "NP": "nepalese", "PH": "filipino",
    "PK": "pakistani", "PL": "polish", "PS": "palestinian", "PT": "portuguese", "RO": "romanian", "RU": "russian",
    "SA": "saudi", "SD": "sudanese", "SE": "swedish", "SN": "senegalese", "SO": "somali", "SY": "syrian", "TH": "thai",
    "TR": "turkish", "UA": "ukrainian", "UK": "british", "US": "american", "VE": "venezuelan", "VN": "vietnamese",
    "YE": "yemeni", "ZA": "south african", "ZW": "zimbabwean",
}  # fmt: skip
"""What the flag of a country, by its ISO 3166-1 code, says of people."""

_PICTURE = re.compile("[\u2139\u203c\u2190-\u21ff\u2300-\u2bff\u24c2\u3297\u3299\U0001f000-\U0001faff]")
_INVISIBLE = re.compile("[\u200b\u200c\u200e\u200f\u2060\ufe00-\ufe0f\u00ad\ufeff]")
_FLAG = re.compile("([\U0001f1e6-\U0001f1ff])([\U0001f1e6-\U0001f1ff])")
_TONED = re.compile("(.)([\U0001f3fb-\U0001f3ff])", re.DOTALL)
_LETTER = re.compile(f"(?<=[a-z])(?:[{''.join(LETTERS)}]+)|[{''.join(LETTERS)}]+(?=[a-z])", re.IGNORECASE)
_GENDER = re.compile("\u200d([♂♀])")


def has_emoji(text: str) -> bool:
    """Whether there is an emoji in the text."""
    return _PICTURE.search(text) is not None


def told(text: str) -> str:
    """The text with emoji in words: people's skin before them, flags as peoples, signs between letters as letters.

    Without an emoji the text comes back as it is.
    """
    if not has_emoji(text):
        return text
    text = _INVISIBLE.sub("", text)
    text = _LETTER.sub(lambda match: "".join(LETTERS[sign] for sign in match.group()), text)
    text = _TONED.sub(lambda match: f" {TONES[match.group(2)]} {match.group(1)}", text)
    for signs, words in JOINED:
        text = text.replace(signs, f" {words} ")
    text = _GENDER.sub(lambda match: " man " if match.group(1) == "♂" else " woman ", text).replace("\u200d", " ")
    text = _FLAG.sub(_people, text)
    return " ".join(
        _PICTURE.sub(lambda match: f" {MEANT.get(match.group()) or picture_name(match.group())} ", text).split()
    )


def _people(match: re.Match[str]) -> str:
    code = "".join(chr(ord(letter) - 0x1F1E6 + ord("A")) for letter in match.groups())
    return f" {PEOPLES.get(code, f'flag {code}')} "
