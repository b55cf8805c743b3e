"""Django's own command line, to inspect a project that a test has built:

    OFFICE_USER_MODEL=custom OFFICE_DATABASE=/tmp/office.sqlite3 OFFICE_MEDIA=/tmp/media \
        target/django/5.2/bin/python tests/django/manage.py shell
"""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "office.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
