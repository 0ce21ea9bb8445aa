"""When queries with a schedule are due: five cron fields, read in the time zone of the settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, pairwise, takewhile

from cronsim import CronSim, CronSimError
from django.utils import timezone

from widgets_app.manifest.contract import cron_problem

# As many times of a schedule as tell how often it comes.
TIMES_LOOKED_AT = 10


def schedule_problem(text: str) -> str | None:
    """Say in a sentence what is wrong with a schedule, or None when it can be followed."""
    problem = cron_problem(text)
    if problem is None:
        try:
            CronSim(text.upper(), timezone.localtime())
        except CronSimError:
            problem = "such a day never comes"
    if problem is None:
        return None
    return (
        f"The schedule can't be followed: {problem}. "
        "Write minute, hour, day of the month, month and day of the week, as in */15 6-20 * * 1-5."
    )


def last_due(cron: str, since: datetime, now: datetime) -> datetime | None:
    """Return the last time of a schedule after `since` and not after `now`, None if there is none."""
    last = None
    for last in takewhile(lambda time: time <= now, CronSim(cron.upper(), since)):  # noqa: B007  the last one counts
        pass
    return last


def shortest_pause(cron: str) -> timedelta | None:
    """Return how soon a time of a schedule may follow another, None where it comes once."""
    times = list(islice(CronSim(cron.upper(), timezone.localtime()), TIMES_LOOKED_AT))
    return min((later - time for time, later in pairwise(times)), default=None)
