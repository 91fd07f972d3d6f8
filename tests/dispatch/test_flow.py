"""The state machine against a model: whatever is asked in whatever order, its laws hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qiaomen.dispatch import EVENT_LABELS, TaskEvent, events_from
from qiaomen.dispatch.flow import FLOW, advance
from qiaomen.vocab import Conflict, InputRejected, TaskResult, TaskState


class TaskLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state = TaskState.UNCLAIMED
        self.result: TaskResult | None = None
        self.manager: str | None = None
        self.reached: list[TaskState] = [TaskState.UNCLAIMED]

    @rule(event=st.sampled_from(TaskEvent), reason=st.sampled_from(["", "  ", "企业暂无需求"]))
    def ask(self, event: TaskEvent, reason: str) -> None:
        if event not in events_from(self.state):
            with pytest.raises(Conflict):
                advance(self.state, event, reason)
            return
        step = FLOW[(self.state, event)]
        if step.needs_reason and not reason.strip():
            with pytest.raises(InputRejected):
                advance(self.state, event, reason)
            return
        assert advance(self.state, event, reason) == step
        self.state, self.result = step.state, step.result
        self.manager = {"keep": self.manager, "set": "M1", "free": None}[step.manager]
        self.reached.append(self.state)

    @invariant()
    def laws(self) -> None:
        assert (self.result is not None) == (self.state is TaskState.CLOSED)
        if self.state in {TaskState.FOLLOWING, TaskState.INTENDED, TaskState.LANDED}:
            assert self.manager is not None
        if self.result is TaskResult.WON:
            assert TaskState.LANDED in self.reached

    @precondition(lambda self: self.state is TaskState.CLOSED)
    @rule(event=st.sampled_from(TaskEvent))
    def closed_is_the_end(self, event: TaskEvent) -> None:
        with pytest.raises(Conflict):
            advance(self.state, event, "原因")


TestTaskLife = TaskLife.TestCase


def test_every_state_can_be_reached_and_left() -> None:
    reached = {TaskState.UNCLAIMED} | {step.state for step in FLOW.values()}
    assert reached == set(TaskState)
    assert {state for state, _ in FLOW} == set(TaskState) - {TaskState.CLOSED}
    assert {step.result for step in FLOW.values() if step.result} == set(TaskResult)


@given(st.sampled_from(TaskState), st.sampled_from(TaskEvent))
def test_a_refusal_says_what_is_possible(state: TaskState, event: TaskEvent) -> None:
    if (state, event) not in FLOW:
        with pytest.raises(Conflict) as caught:
            advance(state, event, "原因")
        for allowed in events_from(state):
            assert EVENT_LABELS[allowed] in str(caught.value)
