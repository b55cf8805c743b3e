"""The groups. If the project has a table of its own for them, it stores notes and times; not every group has a row there."""

from datetime import datetime, timezone

# Id, name, notes (None: no row in the side table).
GROUPS = [
    (1, "Staff room", "Everybody who may make coffee."),
    (3, "Billing", "Invoices, reminders,\nand \"second\" reminders."),
    (7, "On call", ""),
    # Names in Django are unique by exact spelling: these are three groups.
    (8, "billing", None),
    (9, "BILLING", "Shouting."),
    (10, "  Padded  ", "  kept as it is  "),
    # The same word, composed and decomposed.
    (11, "\u00c4rzte", "NFC"),
    (12, "A\u0308rzte", "NFD"),
    (13, "\u8fd0\u8425 \U0001f9d1\u200d\U0001f4bb", "Line\u2028separator and emoji \U0001f600"),
    (14, "Nobody", "Has no members."),
    (20, "Everyone", None),
    (2147483647, "The last id that fits", None),
]
EMPTY = 14
EVERYONE = 20


def created_at(group):
    return datetime(2019, 5, 1, 8, 0, 0, group % 1000 * 1000, timezone.utc)


def updated_at(group):
    return datetime(2024, 2, 29, 23, 59, 59, group % 7, timezone.utc)
