"""Made-up names: every pairing of a few surnames and given names, with the keys by which they are searched."""

from domain.people.names import name_initials, name_key

SURNAMES_ZH = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗"
GIVEN_ZH = [
    "静", "敏", "丽", "洁", "娟", "艳", "燕", "霞", "婷", "雪", "慧", "琳", "欣", "怡", "佳", "雅婷", "思雨", "梦洁",
    "晓彤", "雨桐", "诗涵", "子涵", "欣怡", "佳琪", "美玲", "玉兰", "春梅", "秋月", "冬雪", "海燕",
]  # fmt: skip
SURNAMES_EN = [
    "Ash", "Beech", "Birch", "Brook", "Cedar", "Clay", "Dale", "Fern", "Field", "Ford", "Glen", "Hazel",
    "Heath", "Hill", "Holly", "Lake", "Lane", "Marsh", "Moor", "Reed",
]  # fmt: skip
GIVEN_EN = [
    "Ada", "Amy", "Anna", "Beth", "Cara", "Clara", "Dana", "Dora", "Ella", "Emma", "Eva", "Faye",
    "Gina", "Grace", "Hope", "Iris", "Ivy", "Jane", "Joy", "Kate", "Lena", "Lily", "Lucy", "Maya",
    "Mia", "Nora", "Rose", "Ruth", "Tess", "Vera",
]  # fmt: skip
NICKNAMES: list[str | None] = ["豆豆", "糖糖", "小米", "团团", "圆圆", "果果", "Bean", "Button", "Peanut", "Pip", None]

_NAMES = [
    *(surname + given for surname in SURNAMES_ZH for given in GIVEN_ZH),
    *(f"{given} {surname}" for surname in SURNAMES_EN for given in GIVEN_EN),
]
FULL_NAMES: list[str | None] = [*_NAMES]
KEYS: list[str | None] = [name_key(name) for name in _NAMES]
INITIALS: list[str | None] = [name_initials(name) for name in _NAMES]
NICKNAME_KEYS: list[str | None] = [name_key(name) if name else None for name in NICKNAMES]
