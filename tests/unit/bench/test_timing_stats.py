from realface.bench.timing_stats import format_stats, summarise


def test_stats_are_median_minimum_and_maximum() -> None:
    assert summarise([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "min": 1.0, "max": 10.0}


def test_stats_are_shown_median_first() -> None:
    assert format_stats({"median": 0.5, "min": 0.25, "max": 1.0}, ".1%") == "50.0%  (25.0% - 100.0%)"
