"""A row of the table: (row, budget, measured, verdict); verdict is True, False or None for none."""


def at_most(row, budget, value, unit, digits=2, beside=""):
    return row, f"{budget} {unit}", f"{value:.{digits}f} {unit}{beside}", value <= budget


def at_least(row, budget, value, unit, digits=0, beside=""):
    return row, f"{budget:,} {unit}", f"{value:,.{digits}f} {unit}{beside}", value >= budget
