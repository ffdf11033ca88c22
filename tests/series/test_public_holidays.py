import pandas as pd
import pytest

from forecastd.series import public_holidays


def test_all_countries_are_known_and_by_amazons_code_too() -> None:
    assert {"US", "DE", "CN", "ID", "GB", "UK"} <= public_holidays.countries()
    assert "XX" not in public_holidays.countries()
    assert public_holidays.names_by_date("UK", 2024, 2024) == public_holidays.names_by_date("GB", 2024, 2024)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Eid al-Fitr (estimated)", "Eid al-Fitr"),
        ("Eid al-Fitr (observed, estimated)", "Eid al-Fitr (observed)"),
        ("Day off (substituted from 01/29/2023)", "Day off"),
        ("New Year's Day (observed)", "New Year's Day (observed)"),
        ("Chinese New Year (Spring Festival)", "Chinese New Year (Spring Festival)"),
    ],
)
def test_a_holiday_has_the_same_name_in_every_year(told: str, name: str) -> None:
    assert public_holidays.plain(told) == name


def test_a_holiday_of_the_future_has_the_name_it_had() -> None:
    """The moon decides on the day; what is to come is an estimate to the library."""
    names = public_holidays.names_by_date("AE", 2020, 2030)
    years = {day.year for day, name in names.items() if name == "Eid al-Fitr"}
    assert years == set(range(2020, 2031))


def test_two_holidays_of_one_day_are_both_found_and_the_first_names_it() -> None:
    shared = pd.Timestamp("2007-01-01")
    assert public_holidays.names_by_date("TR", 2007, 2007)[shared] == "Eid al-Adha"
    dates = public_holidays.dates_by_name("TR", 2007, 2007)
    assert shared in dates["Eid al-Adha"]
    assert shared in dates["New Year's Day"]


def test_a_country_that_is_not_known_has_none() -> None:
    assert public_holidays.names_by_date("XX", 2024, 2024) == {}
    assert public_holidays.dates_by_name("XX", 2024, 2024) == {}


def test_the_day_of_rest_is_the_last_of_the_weekend() -> None:
    assert {code: public_holidays.day_of_rest(code) for code in ("FR", "IL", "IR", "XX")} == {
        "FR": 6,
        "IL": 5,
        "IR": 4,
        "XX": 6,
    }
