"""The list box of the filter of events says what Django's says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.test.html import parse_html

from backups.admin.audit.quick_select import QuickSelect

CHOICES: list[tuple[Any, Any]] = [
    ("", "Any"),
    ('"><script>', "<script>alert(1)</script> & more"),
    ("People", [("user:7", "bob"), ("user:8", 'carol "the" manager')]),
    ("last", "Last"),
]


@pytest.mark.parametrize("value", ["", "user:8", '"><script>', None])
def test_it_is_the_same_list_box(value: str | None):
    attrs = {"id": "id_person", "aria-invalid": "true", "disabled": True}
    quick = QuickSelect(choices=CHOICES).render("person", value, attrs)
    slow = forms.Select(choices=CHOICES).render("person", value, attrs)
    assert parse_html(quick) == parse_html(re.sub(r"\s*\n\s*", "", slow))
    assert "<script>" not in quick
