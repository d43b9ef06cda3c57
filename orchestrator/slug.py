"""Slugs as `werf slugify` makes them, and as werf 1.0 made its published tags.

Source of the rules: werf, package slug; of the older form: its documentation, "Publish process".
"""

import re
from typing import Final

# What werf writes each of these characters as; ASCII letters and digits are written in lower case,
# and characters that are not here are dropped.
_TRANSLITERATIONS: Final = {
    "": "ЪЬъь",
    "-": " &()+,-./:;<=>[]_{}~＿～",
    "0": "⓪",
    "10": "⒑",
    "11": "⒒",
    "12": "⒓",
    "13": "⒔",
    "14": "⒕",
    "15": "⒖",
    "16": "⒗",
    "17": "⒘",
    "18": "⒙",
    "19": "⒚",
    "2": "²",
    "20": "⒛",
    "3": "³",
    "9": "⒐",
    "a": ("ÀÁÂÃÄÅàáâãäåĀāĂăĄąǍǎǞǟǠǡǺǻȀȁȂȃȦȧȺɑАаᴀḀḁẚẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặₐ\u212b⒜ⒶⓐＡａ"),
    "aa": "Ꜳꜳ",
    "ac": "℀",
    "ae": "ÆæǢǣǼǽᴁᴂ",
    "af": "ꜺꜻꜼꜽ",
    "aj": "Ꜷꜷ",
    "ao": "Ꜵꜵ",
    "as": "℁",
    "av": "Ꜹꜹ",
    "b": "ßƀƁƄƅɃБбᴃḂḃḄḅḆḇℬ⒝ⒷⓑＢｂ",
    "c": "ÇçĆćĈĉĊċČčƇƈȻȼЦцᴄḈḉℂ℃℄⒞ⒸⓒＣｃ",
    "ch": "Чч",
    "co": "℅",
    "cu": "℆",
    "d": "ÐĎďĐđƉƊɗДдᴅᴆḊḋḌḍḎḏḐḑḒḓ⒟ⒹⓓＤｄ",
    "db": "ȸ",
    "dz": "ǄǅǆǱǲǳ",
    "e": "ÈÉÊËèéêëĒēĔĕĖėĘęĚěƐǝȄȅȆȇȨȩɆɇЭэᴇḔḕḖḗḘḙḚḛḜḝẸẹẺẻẼẽẾếỀềỂểỄễỆệₑ℮ℯ⒠ⒺⓔＥｅ",
    "f": "ƑƒФфḞḟ℉⒡ⒻⓕꜰＦｆ",
    "g": "ĜĝĞğĠġĢģƓǤǥǦǧǴǵɠɡɢГгḠḡℊ⒢ⒼⓖＧｇ",
    "h": "ĤĥĦħȞȟХхḢḣḤḥḦḧḨḩḪḫẖℋℌℍℎℏ⒣ⒽⓗＨｈ",
    "i": "ÌÍÎÏìíîïĨĩĪīĬĭĮįƖƗǏǐȈȉȊȋИиḬḭḮḯ⒤ⒾⓘＩｉ",
    "ij": "Ĳĳ",
    "j": "ĴĵǰȷɈɉЙйᴊ⒥ⒿⓙＪｊ",
    "k": "ĶķĸƘƙǨǩКкᴋḰḱḲḳḴḵ\u212a⒦ⓀⓚＫｋ",
    "l": "İıĹĺĻļĽľĿŀŁłȽȾЛлᴌḶḷḸḹḺḻḼḽ⒧ⓁⓛＬｌ",
    "lj": "Ǉǈǉ",
    "m": "ɱМмᴍḾḿṀṁṂṃ⒨ⓂⓜＭｍ",
    "n": "ÑñŃńŅņŇňŉŊŋƝƞǸǹȠНнᴎṄṅṆṇṈṉṊṋℕ⒩ⓃⓝＮｎ",
    "nd": "Ƌƌ",
    "nj": "Ǌǋǌ",
    "o": ("ÒÓÔÕÖØðòóôõöøŌōŎŏŐőƟƠơǑǒǪǫǬǭǾǿȌȍȎȏȪȫȬȭȮȯȰȱɵОоᴏṌṍṎṏṐṑṒṓỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợₒ⒪ⓄⓞＯｏ"),
    "oe": "Œœɶ",
    "p": "ƤƥПпṔṕṖṗ℗ℙ⒫ⓅⓟＰｐ",
    "px": "℞",
    "q": "ƼƽɊɋℚ⒬ⓆⓠＱｑ",
    "qp": "ȹ",
    "r": "ŔŕŖŗŘřƦȐȑȒȓɌɍРрṘṙṚṛṜṝṞṟℛℜℝ℟⒭ⓇⓡＲｒ",
    "s": "ŚśŜŝŞşŠšſƧƨƩȘșȿСсṠṡṢṣṤṥṦṧṨṩ⒮ⓈⓢꜱＳｓ",
    "sh": "Шш",
    "shch": "Щщ",
    "sm": "℠",
    "t": "ŢţŤťŦŧƪƫƬƭƮȚțТтṪṫṬṭṮṯṰṱẗ⒯ⓉⓣＴｔ",
    "tel": "℡",
    "th": "Þþ",
    "tm": "™",
    "u": ("µÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲųƯưƱƲǓǔǕǖǗǘǙǚǛǜȔȕȖȗɄУуṲṳṴṵṶṷṸṹṺṻỤụỦủỨứỪừỬửỮữỰự⒰ⓊⓤＵｕ"),
    "v": "ɅВвṼṽṾṿ⒱ⓋⓥＶｖ",
    "w": "ŴŵƜɯẀẁẂẃẄẅẆẇẈẉẘ⒲ⓌⓦＷｗ",
    "x": "×ẊẋẌẍₓ⒳ⓍⓧＸｘ",
    "y": "ÝýÿŶŷŸȲȳɎɏЫыẎẏẙỲỳỴỵỶỷỸỹ⒴ⓎⓨＹｙ",
    "ya": "Яя",
    "ye": "Ее",
    "yo": "Ёё",
    "yu": "Юю",
    "z": "ŹźŻżŽžƵƶƷȤȥɀЗзẐẑẒẓẔẕℤ⒵ⓏⓩＺｚ",
    "zh": "Жж",
}
_MAPPING: Final = {char: text for text, chars in _TRANSLITERATIONS.items() for char in chars}

_DOCKER_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_WERF_V1_TAG: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

_DOCKER_TAG_LIMIT: Final = 128
_NAMESPACE_LIMIT: Final = 63


def docker_tag(text: str) -> str:
    """A legal tag: the text itself where it is one, else a slug with a hash, at most 128 characters."""
    if not text or (_DOCKER_TAG.fullmatch(text) and len(text) <= _DOCKER_TAG_LIMIT):
        return text
    return _hashed(text, f"{_murmur(text):x}", _DOCKER_TAG_LIMIT)


def kubernetes_namespace(text: str) -> str:
    """A DNS-1123 label of at most 63 characters."""
    if not text or (_DNS_LABEL.fullmatch(text) and len(text) <= _NAMESPACE_LIMIT):
        return text
    return _hashed(text, f"{_murmur(text):x}", _NAMESPACE_LIMIT)


def werf_v1_tag(text: str) -> str:
    """A tag as werf 1.0 published it: no dots, and the bytes of the hash in the other order."""
    legal = _WERF_V1_TAG.fullmatch(text) and "--" not in text and len(text) <= _DOCKER_TAG_LIMIT
    if not text or legal:
        return text
    return _hashed(text, _murmur(text).to_bytes(4, "little").hex(), _DOCKER_TAG_LIMIT)


def _hashed(text: str, suffix: str, limit: int) -> str:
    made = _slugify(text)[: limit - len(suffix) - 1]
    return f"{made}-{suffix}" if made else suffix


def _slugify(text: str) -> str:
    parts: list[str] = []
    for char in text:
        part = char.lower() if char.isascii() and char.isalnum() else _MAPPING.get(char, "")
        if part == "-" and (not parts or parts[-1] == "-"):
            continue
        if part:
            parts.append(part)
    if parts and parts[-1] == "-":
        parts.pop()
    return "".join(parts)


def _murmur(text: str) -> int:
    """MurmurHash3, x86, 32 bit, seed 0, of the text as UTF-8."""
    import mmh3

    return mmh3.hash(text.encode(errors="surrogateescape"), signed=False)
