from realface.bench.spread import show_spread, spread


def test_the_spread_is_median_least_and_most() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}


def test_a_spread_is_shown_median_first() -> None:
    assert show_spread({"median": 0.5, "min": 0.25, "max": 1.0}, ".1%") == "50.0%  (25.0% - 100.0%)"
