"""Made-up words for made-up people: common names, nicknames, topics and notes, in both languages."""

Said = dict[str, tuple[tuple[str, str], ...]]
"""(topic, note) by language."""

AREA_CODES = (
    201, 206, 213, 215, 216, 253, 267, 281, 301, 303, 305, 312, 313, 314, 330, 404, 410, 412, 414, 415, 480, 503, 505,
    512, 513, 516,
)  # fmt: skip

WOMEN_EN = (
    "Olivia", "Emma", "Ava", "Sophia", "Isabella", "Mia", "Charlotte", "Amelia", "Harper", "Evelyn", "Abigail", "Emily",
    "Ella", "Grace", "Chloe", "Victoria", "Riley", "Aria", "Lily", "Zoe", "Hannah", "Nora", "Leah", "Hazel", "Violet",
)  # fmt: skip
MEN_EN = ("Liam", "Noah", "Ethan", "Mason", "Logan", "Lucas", "Jacob", "Daniel", "Henry", "Owen", "Samuel", "Isaac")
SURNAMES_EN = (
    "Adams", "Baker", "Bennett", "Brooks", "Carter", "Coleman", "Cooper", "Diaz", "Evans", "Fisher", "Flores", "Foster",
    "Garcia", "Gray", "Hayes", "Hughes", "Jenkins", "Kelly", "Lopez", "Martin", "Morgan", "Murphy", "Nguyen", "Patel",
    "Perry", "Powell", "Reed", "Rivera", "Ross", "Sanders", "Turner", "Ward", "Watson", "Wood", "Young",
)  # fmt: skip
SURNAMES_ZH = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余单仇")
WOMEN_ZH = (
    "芳", "娜", "敏", "静", "丽", "艳", "娟", "霞", "燕", "小丽", "雪梅", "婷婷", "思雨", "雅琴", "晓红", "佳怡",
    "欣怡",    "诗涵", "梦洁", "玉兰", "慧敏", "春燕", "海燕", "美玲", "若曦",
)  # fmt: skip
MEN_ZH = ("伟", "强", "磊", "军", "勇", "杰", "涛", "明", "超", "建国", "志强", "浩然", "子轩", "宇航", "文博")

NICKNAMES_EN = ("Bean", "Peanut", "Bug", "Pip", "Sunny", "Teddy", "Birdie", "Button", "Poppy", "Ziggy", "Bear", "Dot")
NICKNAMES_ZH = ("豆豆", "糖糖", "果果", "小宝", "圆圆", "乐乐", "团团", "米粒", "安安", "朵朵", "元宝", "可可")

# They fit every family: one that expects, one with a toddler, one of which we know no child.
VISITS: Said = {
    "en": (
        ("stock", "Asked when the usual brand is back on the shelf."),
        ("car seat", "Compared two car seats; wants to think it over."),
        ("skin", "Dry skin in cold weather; took a sample of cream."),
        ("gift", "Looked for a gift for a friend's newborn."),
    ),
    "zh-Hans": (
        ("到货", "问常买的牌子什么时候到货。"),
        ("安全座椅", "比较了两款安全座椅，想再考虑一下。"),
        ("皮肤护理", "天冷皮肤发干，拿了一份试用装。"),
        ("送礼", "给朋友的新生儿挑礼物。"),
    ),
}
CALLS: Said = {
    "en": (
        ("best time", "Would rather be called in the afternoon. Promised to keep to it."),
        ("delivery", "Asked for delivery on Saturdays."),
        ("satisfaction", "Pleased with the advice in store."),
    ),
    "zh-Hans": (
        ("联系时间", "希望下午再打，已答应。"),
        ("送货", "希望周六送货。"),
        ("回访", "对门店的建议很满意。"),
    ),
}
CHATS: Said = {
    "en": (("opening hours", "Asked about opening hours over the holidays."), ("return", "Asked how to return a box.")),
    "zh-Hans": (("营业时间", "问节假日营业时间。"), ("退货", "问整箱怎么退。")),
}

SAID = {"VISIT": VISITS, "CALL": CALLS, "CHAT": CHATS}

CONSENT_TEXT = "Demo wording, shown to nobody: this consent is made up."
