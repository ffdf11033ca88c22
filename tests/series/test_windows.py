from forecastd.series.windows import Window, backtest_windows


def test_windows_go_back_from_the_end_newest_first() -> None:
    assert backtest_windows(100, 10, 3, 10) == [Window(90, 100), Window(80, 90), Window(70, 80)]


def test_an_offset_larger_than_the_horizon_leaves_steps_between() -> None:
    assert backtest_windows(100, 10, 2, 15) == [Window(85, 95), Window(70, 80)]


def test_windows_without_anything_to_train_on_are_left_out() -> None:
    assert backtest_windows(20, 10, 3, 10) == [Window(10, 20)]
