"""Who may do what with a drill: the whole table of acts by states and roles, held against its promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backups.domain.drill import OPEN_DRILL, DrillState
from backups.domain.drill_log import DrillAct, DrillSituation, allowed_acts, refusal
from backups.domain.people import Actor, ActorKind, Role

SITUATIONS = st.builds(
    DrillSituation,
    actor=st.builds(
        Actor,
        kind=st.sampled_from([ActorKind.HUMAN, ActorKind.SERVICE]),
        name=st.just("somebody"),
        user_id=st.none() | st.integers(1, 3),
        roles=st.lists(st.sampled_from(Role), unique=True).map(tuple),
    ),
    state=st.sampled_from(DrillState),
    is_automatic=st.booleans(),
    is_signed=st.booleans(),
    ran_by_ids=st.frozensets(st.integers(1, 3)),
)
COURSE = {DrillAct.CHANGE, DrillAct.BEGIN, DrillAct.END, DrillAct.CANCEL, DrillAct.PARTICIPANTS, DrillAct.NOTE}


@given(SITUATIONS)
def test_nobody_signs_what_they_ran_and_only_managers_sign_once_it_has_ended(situation):
    if DrillAct.SIGN_OFF in allowed_acts(situation):
        assert Role.MANAGER in situation.actor.roles
        assert situation.actor.user_id not in situation.ran_by_ids
        assert situation.state is DrillState.ENDED
        assert situation.actor.is_human
        assert not situation.is_signed


@given(SITUATIONS)
def test_the_course_of_a_drill_is_written_only_by_hand_and_while_it_is_open(situation):
    if allowed_acts(situation) & COURSE:
        assert not situation.is_automatic
        assert situation.state in OPEN_DRILL


@given(SITUATIONS)
def test_nothing_is_added_to_what_was_signed(situation):
    if situation.is_signed:
        assert not allowed_acts(situation) & {DrillAct.ADD_FINDING, DrillAct.ATTACH, DrillAct.SIGN_OFF}


@given(SITUATIONS)
def test_auditors_administrators_and_strangers_change_nothing(situation):
    if not {Role.ENGINEER, Role.MANAGER} & set(situation.actor.roles) or situation.actor.user_id is None:
        assert not allowed_acts(situation)


@given(SITUATIONS, st.sampled_from(DrillAct))
def test_every_refusal_is_a_sentence(situation, act):
    said = refusal(act, situation)
    assert said is None or (said[0].isupper() and said.endswith("."))
