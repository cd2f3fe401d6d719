"""Tables get plain words by a command, and the words are the ones that people decide on."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from backups.models import LedgerEvent, TableMeaning
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_table_gets_its_words_and_the_change_is_an_event():
    factories.branch()
    call_command("describe_table", "public.medication_logs=doses given", branch="main", patient_safety=True)
    meaning = TableMeaning.objects.get()
    assert (meaning.table, meaning.meaning, meaning.patient_safety) == ("public.medication_logs", "doses given", True)
    assert LedgerEvent.objects.filter(type="project.branch_changed").exists()


def test_a_table_without_its_schema_is_refused_and_nothing_is_stored():
    factories.branch()
    with pytest.raises(CommandError, match="with its schema"):
        call_command("describe_table", "medication_logs=doses given", branch="main")
    assert not TableMeaning.objects.exists()


def test_a_branch_that_two_projects_have_must_be_named_with_its_project():
    first = factories.branch()
    other = factories.project(neon_project_id="other-lake-87654321")
    factories.branch(other, neon_branch_id="br-other-lake-1")
    with pytest.raises(CommandError, match="2 branches"):
        call_command("describe_table", "public.users=people", branch="main")
    call_command("describe_table", "public.users=people", branch="main", project=first.project.neon_project_id)
    assert TableMeaning.objects.get().branch == first
