"""Words that should be single tokens: the tasks of the literature swap names, countries and numbers."""

NAMES = (
    "Mary John James Robert Michael William David Richard Joseph Thomas Charles George Daniel Paul Mark Peter "
    "Henry Jack Frank Anna Elizabeth Sarah Susan Alice Emma Jane Kate Laura Lucy Martha Ruth Tom"
).split()
COUNTRIES = (
    "France England Spain Mexico Russia China Germany Japan Italy Canada Cuba India Egypt Greece Poland Ireland"
).split()
PLACES = "Paris London Rome Madrid Berlin Moscow Washington America Europe Africa Asia".split()
DAYS = "January February March April June July August September October November December Monday Sunday".split()

BONUS = 2500
CENTURIES, CENTURY_BONUS = ("17", "18", "19", "20"), 40_000


def extra_counts():
    """Returns counts added to the corpus: each word after a space, every two-digit number, and centuries.

    The centuries come first, so that " 1862" is cut as " 18" and "62".
    """
    words = {f" {word}": BONUS for word in NAMES + COUNTRIES + PLACES + DAYS}
    words.update({f"{number:02d}": BONUS for number in range(100)})
    words.update({f" {century}": CENTURY_BONUS for century in CENTURIES})
    return words
