"""Slots against the order: dates, addresses, issues and names."""

from datetime import date

import cn2an
from hypothesis import given
from hypothesis import strategies as st

from qc.order import Order
from qc.slots import find_address, find_date, find_issue, find_name, find_slots, with_digits

REPORTED = date(2024, 6, 11)


@given(st.integers(1, 9999))
def test_chinese_numerals_read_as_their_value(number: int) -> None:
    assert with_digits(cn2an.an2cn(str(number)) + "号") == f"{number}号"


@given(st.integers(1, 12), st.integers(1, 28), st.booleans())
def test_a_date_agrees_exactly_when_it_is_the_filed_one(month: int, day: int, spoken: bool) -> None:
    said = f"{month}月{day}号"
    if spoken:
        said = f"{cn2an.an2cn(str(month))}月{cn2an.an2cn(str(day))}号"
    slot = find_date(f"您是不是{said}反映的", REPORTED)
    assert slot is not None
    assert slot.agrees == ((month, day) == (REPORTED.month, REPORTED.day))


@given(st.integers(1, 199), st.integers(101, 2605))
def test_an_address_is_found_with_numbers_either_way(house: int, room: int) -> None:
    filed = f"南泉新苑{house}号{room}室"
    spoken = "".join("零一二三四五六七八九"[int(digit)] for digit in str(room))
    for said in (f"地址是在{filed}，对吗", f"南泉新苑{cn2an.an2cn(str(house))}号{spoken}是吧"):
        slot = find_address(said, filed)
        assert slot is not None
        assert slot.agrees


def test_a_house_number_is_no_date() -> None:
    assert find_date("是11号楼的问题", REPORTED) is None


def test_a_month_before_a_pause_is_not_glued_to_the_number_before_it() -> None:
    slot = find_date("7号楼1102，五月六号打的", date(2024, 5, 6))
    assert slot is not None and slot.agrees


def test_a_relative_day_is_a_date_that_cannot_be_compared() -> None:
    slot = find_date("您上周三打的热线", REPORTED)
    assert slot is not None
    assert (slot.said, slot.agrees) == ("上周三", None)


def test_another_house_is_a_mismatch() -> None:
    slot = find_address("地址是南泉新苑26号对吧", "南泉新苑12号")
    assert slot is not None and slot.agrees is False


def test_a_homophone_does_not_hide_place_or_issue() -> None:
    assert find_address("是在难泉新院12号对吧", "南泉新苑12号")
    assert find_issue("您反映烧烤店油眼扰民", "烧烤店油烟扰民")


def test_a_form_of_address_is_compared_by_surname() -> None:
    slot = find_name("顾先生您好", "顾海峰")
    assert slot is not None and slot.agrees


def test_an_empty_order_has_nothing_to_compare() -> None:
    assert [s.name for s in find_slots("您好，请稍等", Order())] == []


@given(st.text(max_size=80))
def test_any_text_can_be_searched(text: str) -> None:
    order = Order(petitioner=text or None, issue=text or None, address=text or None)
    list(find_slots(text, order))
