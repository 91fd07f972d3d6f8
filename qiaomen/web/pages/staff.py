"""人员与岗位: who works where, found and paged; one person's posts, entered and ended."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field, field_validator

from qiaomen.bank import (
    Action,
    StaffFilter,
    add_post,
    end_post,
    governed_institutions,
    may,
    show_staff,
    staff_names,
    today_of,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotFound, Role
from qiaomen.web.numbers import RowNumber
from qiaomen.web.people import ROLES, people_table, read_people
from qiaomen.web.person import Typed, back_to, person_page, read_day, read_unit
from qiaomen.web.visit import Visit, changing, now, signed_in

router = APIRouter()


class StaffQuery(BaseModel):
    """What the list is filtered by; ``unit`` is the code or the name of an institution."""

    q: str = Field("", max_length=100)
    unit: str = Field("", max_length=200)
    role: Role | None = None
    everybody: bool = False
    page: int = Field(1, ge=1, le=10_000)

    @field_validator("role", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None

    def kept(self) -> list[tuple[str, str]]:
        """Return what a link to another page of the list carries."""
        role = self.role.value if self.role else ""
        return [
            ("q", self.q),
            ("unit", self.unit),
            ("role", role),
            ("everybody", "1" if self.everybody else ""),
        ]


def list_page(
    visit: Visit,
    query: StaffQuery,
    *,
    status: int = 200,
    error: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    """Draw the list; ``given`` opens the form for a new member of staff again, as it was typed."""
    visit.require(Action.SEE_STAFF)
    with reading(visit.sql) as connection:
        units = governed_institutions(visit.viewer, connection)
        try:
            unit = read_unit(units, query.unit)
        except InputRejected as refused:
            unit, status, error = query.unit.strip(), HTTPStatus.UNPROCESSABLE_ENTITY, error or str(refused)
        wanted = StaffFilter(unit, query.role, query.q, query.everybody)
        people = read_people(visit, connection, wanted, query.page)
    return visit.render(
        "staff.html",
        key="staff",
        title="人员与岗位",
        status=status,
        error=error,
        given=Typed(given or {}),
        people=people,
        listing=people_table(people, query.page, query.kept()),
        query=query,
        roles=ROLES,
        units=units,
        may_post=may(visit.viewer, Action.MANAGE_STAFF),
        may_users=may(visit.viewer, Action.MANAGE_USERS),
        today=today_of(now()),
    )


@router.get("/staff")
def show(visit: Annotated[Visit, Depends(signed_in)], query: Annotated[StaffQuery, Query()]) -> Response:
    """Show the staff whom the viewer governs."""
    return list_page(visit, query)


@router.get("/staff/{staff_no}")
def show_person(visit: Annotated[Visit, Depends(signed_in)], staff_no: str, done: str = "") -> Response:
    """Show one member of staff."""
    return person_page(visit, staff_no, done=done)


@router.post("/staff")
def give_post(
    visit: Annotated[Visit, Depends(changing)],
    staff_no: Annotated[str, Form(min_length=1, max_length=64)],
    role: Annotated[Role, Form()],
    unit: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=100)] = "",
    since: Annotated[str, Form(max_length=10)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
    capacity: Annotated[str, Form(max_length=6)] = "",
) -> Response:
    """Give a post to somebody known, or with ``name`` to somebody new; from today where no day is given."""
    visit.require(Action.MANAGE_STAFF)
    number = staff_no.strip()
    given = {"role": role.value, "unit": unit, "since": since, "until": until, "capacity": capacity}
    try:
        if capacity.strip() and not capacity.strip().isdecimal():
            raise InputRejected(f"任务上限“{capacity}”无法识别", remedy="写成正整数，或不填")
        with writing(visit.sql) as connection:
            if name.strip() and (known := staff_names(connection).get(number)):
                raise Conflict(f"工号“{number}”已是{known}", remedy="在本人的页面登记岗位")
            units = governed_institutions(visit.viewer, connection)
            add_post(
                visit.viewer,
                connection,
                number,
                role,
                read_unit(units, unit),
                since=read_day(since, "起始日") or today_of(now()),
                until=read_day(until, "截止日"),
                capacity=int(capacity) if capacity.strip() else None,
                name=name,
                now=now(),
            )
    except (InputRejected, Conflict) as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if name.strip():
            given |= {"staff_no": staff_no, "name": name}
            return list_page(
                visit, StaffQuery.model_validate({}), status=status, error=str(error), given=given
            )
        return person_page(visit, number, status=status, error=str(error), given=given)
    return back_to(number, "post")


@router.post("/staff/{staff_no}/posts/{post_id}/end")
def close_post(
    visit: Annotated[Visit, Depends(changing)],
    staff_no: str,
    post_id: RowNumber,
    role: Annotated[str, Form(max_length=32)] = "",
    unit: Annotated[str, Form(max_length=64)] = "",
    last_day: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """End a post of this person after its last day, today unless told otherwise."""
    visit.require(Action.MANAGE_STAFF)
    try:
        with writing(visit.sql) as connection:
            held = show_staff(visit.viewer, connection, staff_no, today_of(now())).posts
            post = next((each for each in held if each.post_id == post_id), None)
            if post is None:
                raise NotFound(f"没有编号为 {post_id} 的岗位", remedy="刷新页面")
            # What the page showed under this number; it may be another post since.
            if (role or post.role.value, unit or post.institution_code) != (
                post.role.value,
                post.institution_code,
            ):
                raise Conflict("岗位刚刚更新过", remedy="核对后再办")
            day = read_day(last_day, "最后一天") or today_of(now())
            end_post(visit.viewer, connection, post_id, day, now=now())
    except (InputRejected, Conflict) as error:
        return person_page(visit, staff_no, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error))
    return back_to(staff_no, "post-ended")
