"""Rows that never change and roles with a date: see backups/models/database_rules.py.

There is no way back: a portal whose events can be edited is not one that an older version should run on.
"""

from __future__ import annotations

from django.db import migrations

from backups.models.database_rules import statements


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunSQL(sql) for sql in statements()]
