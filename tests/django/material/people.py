"""The people: known or suspected special cases, then a crowd in which every kind of value occurs often.

A person is a dictionary with all columns of any user model; `fill` selects the ones that exist.
"""

from datetime import datetime, timedelta, timezone

from . import hashes
from .groups import EMPTY, EVERYONE, GROUPS

COUNT = 300
# Beyond JavaScript's exact integers. Django's own user has a 32-bit id.
HIGH_IDS = {"custom": 9007199254740993, "plain": 2147483647}
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
FAR_AWAY = datetime(2099, 12, 31, 23, 59, 59, 999999, timezone.utc)

NAMES = [
    ("Alex", "Thompson"),
    ("\u0410\u043d\u043d\u0430", "\u041a\u0430\u0440\u0435\u043d\u0438\u043d\u0430"),
    ("\u738b", "\u5c0f\u660e"),
    ("\u0645\u0631\u06cc\u0645", "\u0645\u06cc\u0631\u0632\u0627\u062e\u0627\u0646\u06cc"),
    ("\u05d3\u05d5\u05d3", "\u05db\u05d4\u05df"),
    ("\u0905\u0930\u094d\u091c\u0941\u0928", "\u0936\u0930\u094d\u092e\u093e"),
    ("\uae40", "\ubbfc\uc900"),
    ("\u3055\u304f\u3089", "\u7530\u4e2d"),
    ("\u0e2a\u0e21\u0e0a\u0e32\u0e22", "\u0e43\u0e08\u0e14\u0e35"),
    ("\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2", "\u03a0\u03b1\u03c0\u03b1\u03b4\u03cc\u03c0\u03bf\u03c5\u03bb\u03bf\u03c2"),
    ("I\u0307brahim", "\u0130\u015f\u0131k"),
    ("Stra\u00dfe", "STRASSE"),
    ("Zoe\u0308", "Nu\u0303n\u0303ez"),
    ("", "Mononym"),
    ("Mononym", ""),
    ("", ""),
    ("  Ann ", " Lee  "),
    ("\u3000Wide\u3000", "\u00a0Hard\u00a0"),
    ("\U0001f469\u200d\U0001f680", "\U0001f3f3\ufe0f\u200d\U0001f308"),
    ("Line\u2028two", "Para\u2029graph"),
    ("Tab\there", "New\nline"),
    ("Quote\"back\\slash", "<b>&amp;</b>"),
    ("O'Neil", "x' OR '1'='1"),
    ("N" * 150, "\u00e9" * 150),
    ("\U0001f600" * 150, "\ufffd\ufeff"),
    ("\x7f\x01", "\x1f"),
]
GENDERS = ["male", "female", "non-binary", "other", None, "", "not told"]
AVATARS = [
    None,
    "",
    "avatars/alex_profile.jpg",
    "avatars/with space + plus.png",
    "avatars/100%25.png",
    "avatars/\u00fcber/\u5199\u771f \U0001f600.jpg",
    "avatars/NFD-e\u0301.jpg",
    "avatars/2024/05/(1)~!*'.png",
    "avatars/semi;colon,comma@at:colon&and=is.png",
    "avatars/" + "l" * 88 + ".png",
    "avatars/lost.png",
]
# In the table, but deleted from the disk.
MISSING_AVATARS = {"avatars/lost.png"}
MICROSECONDS = [0, 123456, 5, 120000, 999999]


def person(id, username, **told):
    known = {
        "id": id,
        "username": username,
        "mobile_number": None,
        "email": None,
        "avatar": None,
        "first_name": "",
        "last_name": "",
        "gender": None,
        "is_active": True,
        "is_staff": True,
        "is_superuser": False,
        "last_login": None,
        "created_at": datetime(2024, 3, 15, 9, 30, tzinfo=timezone.utc),
        "updated_at": datetime(2024, 3, 15, 9, 30, tzinfo=timezone.utc),
        "groups": [],
        "hasher": "pbkdf2_sha256",
        "password": f"pass {id} \u00fc\U0001f600",
        "drf": True,
        # The ends of its knox tokens; None means no end.
        "knox": [],
        "department": "",
        "employee_no": None,
    }
    if unknown := told.keys() - known.keys():
        raise ValueError(f"a person has no {unknown}")
    return known | told


def cases(model):
    """Ids 1 to 99, and one very large id."""
    yield person(
        42,
        "alex_thompson",
        mobile_number="+1-555-0123",
        email="alex.thompson@techcorp.com",
        avatar="avatars/alex_profile.jpg",
        first_name="Alex",
        last_name="Thompson",
        gender="non-binary",
        groups=[7, 1, 3],
        last_login=datetime(2025, 8, 6, 14, 23, 45, 123456, timezone.utc),
        knox=[None],
    )
    yield person(2, "root", is_superuser=True, is_staff=False, hasher="default pbkdf2_sha256", knox=[FAR_AWAY])
    yield person(3, "fuller", is_superuser=True, hasher="default argon2")
    yield person(4, "scryptor", hasher="default scrypt")
    yield person(5, "Case", email="case@example.com")
    yield person(6, "case", email="Case@example.com")
    yield person(7, "\u0130stanbul", groups=[11])
    yield person(8, "  padded name  ", password="  padded password  ")
    yield person(9, "no-token", drf=False)
    yield person(10, "knox-only", drf=False, knox=[None, None, FAR_AWAY])
    yield person(11, "knox-expired", drf=False, knox=[LONG_AGO])
    yield person(12, "knox-mixed", knox=[LONG_AGO, None, FAR_AWAY])
    yield person(13, "left", is_active=False, knox=[None])
    yield person(14, "left-admin", is_active=False, is_superuser=True, knox=[None])
    yield person(15, "customer", is_staff=False, knox=[None])
    yield person(16, "all-groups", groups=[id for id, _, _ in reversed(GROUPS) if id != EMPTY])
    yield person(17, "before-the-epoch", created_at=datetime(1969, 12, 31, 23, 59, 59, 999999, timezone.utc))
    yield person(18, "midnight", last_login=datetime(2025, 8, 6, tzinfo=timezone.utc))
    yield person(19, "long-password", hasher="pbkdf2_sha256", password="\u00e9" * 500)
    yield person(20, "u" * 150, email="e" * 64 + "@" + ("d" * 59 + ".") * 3 + "example")
    yield person(HIGH_IDS[model], "high-id", first_name="High", groups=[EVERYONE, 2147483647], knox=[None])
    for place, hasher in enumerate(hashes.CHEAP):
        yield person(50 + place, f"by-{hasher.replace(' ', '-')}", hasher=hasher)


def crowd(first, last):
    """All differ from each other: the lengths of the lists have no large common factor."""
    start = datetime(2018, 1, 1, tzinfo=timezone.utc)
    for id in range(first, last):
        first_name, last_name = NAMES[id % len(NAMES)]
        created = start + timedelta(hours=7 * id, seconds=id, microseconds=MICROSECONDS[id % 5])
        login = created + timedelta(days=id % 900, microseconds=MICROSECONDS[id % 3])
        yield person(
            id,
            f"user{id}",
            mobile_number=(f"+98 912 {id:07}", "", None)[id % 3],
            email=(f"user{id}@example.com", None, "", f"User.{id}@Example.COM")[id % 4],
            avatar=AVATARS[id % len(AVATARS)],
            first_name=first_name,
            last_name=last_name,
            gender=GENDERS[id % len(GENDERS)],
            is_active=id % 11 != 0,
            is_staff=id % 5 != 0,
            is_superuser=id % 17 == 0,
            last_login=None if id % 4 == 0 else login,
            created_at=created,
            updated_at=created + timedelta(days=id),
            groups=[EVERYONE] + [group for group, _, _ in GROUPS[id % 7 :: 3] if group not in (EMPTY, EVERYONE)],
            hasher=hashes.CHEAP[id % len(hashes.CHEAP)],
            drf=id % 13 != 0,
            knox=[(None,), (), (FAR_AWAY, None), (), (), (LONG_AGO,)][id % 6],
            department=("Sales", "\u7814\u53d1", "")[id % 3],
            employee_no=None if id % 2 else 1000 + id,
        )


def people(model, count=COUNT):
    found = list(cases(model))
    found += crowd(100, 100 + count - len(found))
    return sorted(found, key=lambda person: person["id"])
