"""Personal data: what is hidden, and what stays readable."""

import re
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qc.catalogue import load_catalogue
from qc.inspect import inspect_transcript
from qc.order import CallKind, Order
from qc.privacy import (
    PersonalData,
    find_personal,
    is_identity_number,
    mask,
    mask_address,
    mask_file_name,
    mask_name,
    masked,
    masked_order,
)
from qc.transcript import Role, Transcript, Turn

ORDER = Order(
    order_id="20240611-000417",
    petitioner="顾海峰",
    address="南泉新苑12号501室",
    reported_on=date(2024, 6, 11),
    issue="楼上601室周末装修噪音",
)
SPOKEN = str.maketrans("0123456789", "零一二三四五六七八九")
SPOKEN_YAO = str.maketrans("0123456789", "〇幺二三四五六七八九")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ANY_DIGIT = re.compile(r"[\d零〇一二三四五六七八九幺]")

mobiles = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
landlines = st.from_regex(r"(021|0[3-9][0-9]{2})?[2-8][0-9]{7}", fullmatch=True)
separators = st.sampled_from(["", "", " ", "-", "，", "、", " - ", "，嗯，", "。"])
scripts = st.sampled_from([{}, SPOKEN, SPOKEN_YAO, FULL_WIDTH])
before = st.sampled_from(
    ["", "您打我电话，", "手机是", "记好啊：", "打到", "我号码", "12345您好，"]
)
after = st.sampled_from(["", "。", "，对的", "，您记好", "找我", "是伐", "号"])


@st.composite
def told_phones(draw: st.DrawFn) -> str:
    """A phone number in any script, in one piece or in groups."""
    number = draw(mobiles | landlines)
    cuts = sorted(draw(st.sets(st.integers(1, len(number) - 1), max_size=3)))
    edges = [0, *cuts, len(number)]
    gap = draw(separators)
    groups = [number[a:b] for a, b in pairwise(edges)]
    return gap.join(groups).translate(draw(scripts))


@settings(max_examples=400, deadline=None)
@given(before, told_phones(), after)
def test_no_digit_of_a_phone_survives(start: str, phone: str, end: str) -> None:
    shown = mask(start + phone + end)
    assert not ANY_DIGIT.search(shown.replace("12345您好", ""))
    assert len(shown) == len(start + phone + end)


@st.composite
def identity_numbers(draw: st.DrawFn) -> str:
    born = draw(st.dates(date(1930, 1, 1), date(2020, 12, 31)))
    body = f"310{draw(st.integers(100, 999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03}"
    return next(body + check for check in "0123456789X" if is_identity_number(body + check))


@settings(deadline=None)
@given(identity_numbers(), scripts)
def test_identity_numbers_are_found_and_hidden(number: str, script: dict[int, int]) -> None:
    told = number.translate(script).replace("X", "叉") if script else number
    text = f"身份证号{told}，您核对一下"
    assert [span.kind for span in find_personal(text)] == [PersonalData.IDENTITY]
    assert mask(text) == f"身份证号{'*' * 18}，您核对一下"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_keeps_its_length_and_masking_again_changes_nothing(text: str) -> None:
    shown = mask(text, ORDER)
    assert len(shown) == len(text)
    assert mask(shown, ORDER) == shown


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("11010519491231002X", True),
        ("11010519491231002x", True),
        ("110105194912310021", False),
        ("1101051949123100", False),
        ("01010519491231002X", False),
    ],
)
def test_identity_check_digit(number: str, valid: bool) -> None:
    assert is_identity_number(number) is valid


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("地址是南泉新苑12号501室对吗", "地址是南泉新苑**号***室对吗"),
        ("一百零五号六零二", "****号***"),
        ("五零一是我家，装修的是601", "***是我家，装修的是***"),
        ("天平路320弄8号", "天平路320弄*号"),
        ("楼上1203那户", "楼上****那户"),
        ("请问是顾海峰先生吗", "请问是顾**先生吗"),
        ("请问是孤海风先生吗", "请问是孤**先生吗"),  # as the recogniser may hear it
        ("海峰啊，单子我收到了", "**啊，单子我收到了"),
        ("我是替张建国先生打的", "我是替张**先生打的"),
        ("我叫李秀英", "我叫李**"),
        ("谢谢暴先生", "谢谢暴先生"),
        ("一三八零零", "*****"),  # a piece of a number, told alone
        ("对，八零零零。", "对，****。"),
        ("尾号是8000", "尾号是****"),
    ],
)
def test_what_is_hidden(said: str, shown: str) -> None:
    assert mask(said, ORDER) == shown


@pytest.mark.parametrize(
    "said",
    [
        "您打12345反映的",
        "是一二三四五转过来的",
        "您在6月11号反映了噪音",
        "十一号那天我们去过",
        "二零二四年六月十一号",
        "登记日期2024-06-11，2024/6/11，2024.06.11",
        "一共花了2000元，去了3次",
        "两室一厅",
        "地铁3号线",
        "请问是王先生吗",
        "有事打110或者12315",
        "24小时值班，365天不休",
        "一下子来了一百多人",
    ],
)
def test_what_stays_readable(said: str) -> None:
    assert mask(said, ORDER) == said


def test_names_and_addresses_as_filed() -> None:
    assert mask_name("顾海峰") == "顾**"
    assert mask_name("欧阳静") == "欧阳*"
    assert mask_name("王女士") == "王女士"
    assert mask_address("浦东新区天平路320弄8号甲") == "浦东新区天平路320弄*号甲"
    assert mask_address("石泉六村61号302室") == "石泉六村**号***室"


def test_file_names_lose_phones_and_names_but_keep_dates_and_order_ids() -> None:
    name = "2024-06/20240611-000417_13812345678_顾海峰.wav"
    assert mask_file_name(name, ORDER) == "2024-06/20240611-000417_***********_顾**.wav"


def test_an_order_keeps_what_reports_need() -> None:
    shown = masked_order(ORDER.model_copy(update={"handler": "李敏", "department": "城管中队"}))
    assert (shown.petitioner, shown.address) == ("顾**", "南泉新苑**号***室")
    assert shown.issue == "楼上***室周末装修噪音"
    assert (shown.order_id, shown.handler, shown.department) == (
        "20240611-000417",
        "李敏",
        "城管中队",
    )


def test_a_masked_inspection_holds_no_secret_anywhere() -> None:
    turns = (
        Turn(0, Role.AGENT, "您好，请问是顾海峰先生吗？"),
        Turn(1, Role.CITIZEN, "是我。你什么态度，我要投诉你！我电话一三八一二三四五六七八。"),
        Turn(2, Role.AGENT, "您6月11号反映楼上601室装修，地址是南泉新苑12号501室？投诉去好了。"),
    )
    inspection = inspect_transcript(
        Transcript(turns),
        CallKind.FIRST_CONTACT,
        ORDER,
        load_catalogue(),
        None,
        call_id="顾海峰.wav",
        warnings=("核对的地址与工单不符：说的是“12号”，工单为“南泉新苑12号501室”",),
    )
    assert inspection.behaviours and inspection.citizen  # there are quotes to hide
    secrets = ("海峰", "501", "601", "12号", "一三八")
    assert all(secret in repr(inspection) for secret in secrets)
    shown = repr(masked(inspection))
    assert not [secret for secret in secrets if secret in shown]
    assert "顾**" in shown and "6月11号" in shown
