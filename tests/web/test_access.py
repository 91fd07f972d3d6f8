"""Every route of the application, every role, own and others' ids: what each may open, and not one row too many.

``ROUTES`` declares the answer of each route to each role. A route that it does not name fails the test. What a role may
see is computed in ``two_branches`` from the raw rows, apart from the product's policy.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import small_city_rows as base
import sqlalchemy as sa
import two_branches as city_rows
from conftest import Browser
from fastapi import FastAPI
from small_city import City
from two_branches import KEEPERS, LOGINS, customer_mark, desk_of, may_see

from qiaomen.web import create_app

pytestmark = pytest.mark.xdist_group("access")

ROLES = tuple(LOGINS)
MARK = re.compile(r"(客户号甲|流水信号|合同乙|线索词)(\d{3})")
ALL = dict.fromkeys(ROLES, 200)
STAFF = ALL | {"administrator": 403}
UNITS = STAFF | {"manager": 403}
LISTS = UNITS | {"sub": 403}
PEOPLE = ALL | {"manager": 403}
WHOLE = ("analyst", "administrator")
UNSEEN = PEOPLE | {"sub": 404, "branch": 404}
USERS = dict.fromkeys(ROLES, 403) | {"administrator": 200}
NO_POST = dict.fromkeys(ROLES, 403) | {"administrator": 404}
SYSTEM = dict.fromkeys(ROLES, 403) | {"analyst": 200, "administrator": 200}


def like(base: dict[str, int], code: int) -> dict[str, int]:
    """The same roles, another answer to those who may."""
    return {role: code if answer == 200 else answer for role, answer in base.items()}


@dataclass(frozen=True)
class Case:
    """One request: its address, its form, and the answer to each role."""

    address: str
    answers: dict[str, int]
    form: dict[str, Any] | None = None
    json: dict[str, Any] | None = None


@dataclass(frozen=True)
class Hidden:
    """An address with a place for an id: nobody outside the scope can tell another's from one that does not exist.

    ``seen`` names the roles whom ``other`` is not hidden from.
    """

    address: str
    other: str
    answers: dict[str, int]
    form: dict[str, Any] | None = None
    json: dict[str, Any] | None = None
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """The requests that stand for one route; without any the reason why there is none."""

    cases: tuple[Case, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    why: str = ""


def get(*addresses: str, answers: dict[str, int]) -> Route:
    return Route(tuple(Case(address, answers) for address in addresses))


NOT_FOUND = dict.fromkeys(ROLES, 404)
FOREIGN_TASK = "{task:35}"
NO_LIST = "a" * 32


def on_task(verb: str, **form: Any) -> Route:
    return Route(hidden=(Hidden(f"/tasks/{{id}}/{verb}", FOREIGN_TASK, NOT_FOUND, form),))


ROUTES: dict[str, Route] = {
    "GET /api/v1/openapi.json": get("/api/v1/openapi.json", answers=ALL),
    "MOUNT /static": Route(why="files of the package, no data"),
    "GET /health": get("/health", answers=ALL),
    "GET /metrics": get("/metrics", answers=like(ALL, 404)),
    "GET /": get("/", answers=like(ALL, 303)),
    "GET /nothing": get("/nothing", answers=ALL),
    "GET /login": get("/login", answers=like(ALL, 303)),
    "POST /login": Route(why="before signing in; tests/web/test_security.py"),
    "POST /logout": Route(why="ends the caller's own session; tests/web/test_security.py"),
    "GET /login/provider": Route(why="before signing in; no data"),
    "GET /login/provider/return": Route(why="before signing in; no data"),
    "GET /login/left": Route(why="before signing in; no data"),
    "GET /account": get("/account", answers=ALL),
    "POST /account/password": Route(why="the caller's own password; tests/web/test_security.py"),
    "POST /account/sessions": Route(why="the caller's own sessions; tests/web/test_security.py"),
    "POST /account/sessions/{key}": Route(
        hidden=(Hidden("/account/sessions/{id}", "{session}", NOT_FOUND, {}),)
    ),
    "GET /inventory/matches": get("/inventory/matches", "/inventory/matches?outcome=verified", answers=LISTS),
    "POST /inventory/matches": Route(
        hidden=(
            Hidden(
                "/inventory/matches",
                customer_mark(55),
                like(LISTS, 404),
                {"source": "customers", "record_key": "{id}", "choice": "none"},
            ),
        )
    ),
    "GET /today": get("/today", answers=like(STAFF, 303) | {"manager": 200}),
    "GET /cockpit": get("/cockpit", "/cockpit?days=3650", answers=UNITS),
    "GET /tasks": get("/tasks", "/tasks?scope=all", "/tasks?scope=pool", "/tasks?q=上海", answers=STAFF),
    "POST /tasks/{task_id}/move": on_task("move", to="closed", version=1, reason="x"),
    "POST /tasks/{task_id}/claim": on_task("claim"),
    "POST /tasks/{task_id}/return": on_task("return", version=1, reason="x"),
    "POST /tasks/{task_id}/dismiss": on_task("dismiss", version=1, reason="x"),
    "POST /tasks/{task_id}/visit": on_task("visit", channel="电话", note="x"),
    "GET /opportunities": get(
        "/opportunities?days=0",
        "/opportunities?days=0&customer=yes",
        "/opportunities?days=0&kind=inflow_surge",
        "/opportunities?days=0&q=流水信号",
        answers=STAFF,
    ),
    "GET /dispatch": get(
        *(f"/dispatch?view={view}" for view in ("pending", "preview", "conflicts", "homeless", "rejected")),
        answers=UNITS,
    ),
    "POST /dispatch/plan": Route(why="works on the caller's own plan; tests/web/test_dispatch*.py"),
    "POST /dispatch/confirm": Route(why="works on the caller's own plan; tests/web/test_dispatch*.py"),
    "GET /dispatch/batches/{number}": Route(
        hidden=(Hidden("/dispatch/batches/{id}", "{batch}", like(UNITS, 404)),)
    ),
    "GET /dispatch/hand": get("/dispatch/hand", answers=UNITS),
    "POST /dispatch/hand": Route(why="works on the caller's own plan; tests/web/test_dispatch*.py"),
    "GET /inventory/screen": get(
        "/inventory/screen",
        "/inventory/screen?q=customer",
        "/inventory/screen?q=opportunity:inflow_surge",
        "/inventory/screen?q=customer:S11",
        answers=STAFF,
    ),
    "GET /inventory/screen/count": get("/inventory/screen/count?q=customer", answers=STAFF),
    "GET /inventory/screen.{kind}": get(
        "/inventory/screen.csv?q=customer", "/inventory/screen.xlsx?q=capital_cny>0", answers=UNITS
    ),
    "GET /inventory/upload": get("/inventory/upload", answers=LISTS),
    "POST /inventory/upload": Route(why="stores the caller's own file; scope of its rows below"),
    "GET /inventory/upload/{number}": Route(
        hidden=(Hidden("/inventory/upload/{id}", NO_LIST, like(LISTS, 404)),)
    ),
    "POST /inventory/upload/{number}": Route(
        hidden=(Hidden("/inventory/upload/{id}", NO_LIST, like(LISTS, 404), {"step": "try"}),)
    ),
    "GET /inventory/upload/{number}/errors.csv": Route(
        hidden=(Hidden("/inventory/upload/{id}/errors.csv", NO_LIST, like(LISTS, 404)),)
    ),
    "GET /inventory/upload/undo/{load_id}": Route(
        hidden=(Hidden("/inventory/upload/undo/{id}", "U1", like(LISTS, 404)),)
    ),
    "POST /inventory/upload/undo/{load_id}": Route(
        hidden=(Hidden("/inventory/upload/undo/{id}", "U1", like(LISTS, 404), {}),)
    ),
    "GET /companies/{company_id}": Route(
        (
            *tuple(Case(f"/companies/{n}", STAFF) for n in (0, 1, 20, 35)),
            Case("/companies/999", like(STAFF, 404)),
        )
    ),
    "POST /companies/{company_id}/opt-outs": Route(
        (
            Case(
                "/companies/999/opt-outs",
                NOT_FOUND | {"administrator": 403},
                {"position": 0, "generation": 2, "reason": "x"},
            ),
        )
    ),
    "POST /companies/{company_id}/opt-outs/{opt_out_id}/withdraw": Route(
        (Case("/companies/1/opt-outs/999/withdraw", like(LISTS, 404), {"reason": "x"}),)
    ),
    "GET /audit": get("/audit", answers=dict.fromkeys(ROLES, 403) | {"administrator": 200}),
    "POST /audit/check": Route(why="checks the log, its role is that of GET /audit; tests/web/test_audit.py"),
    "GET /staff": get("/staff", "/staff?everybody=1", "/staff?unit=S11&role=manager", answers=PEOPLE),
    "POST /staff": Route(
        (
            Case(
                "/staff",
                dict.fromkeys(ROLES, 403) | {"administrator": 422},
                {"staff_no": "E0011", "role": "manager", "unit": "none"},
            ),
        )
    ),
    "GET /staff/{staff_no}": Route(
        (Case("/staff/E0005", PEOPLE), Case("/staff/E0007", PEOPLE | {"sub": 404})),
        (Hidden("/staff/{id}", "E0011", UNSEEN, seen=WHOLE),),
    ),
    "POST /staff/{staff_no}/posts/{post_id}/end": Route(
        hidden=(
            Hidden("/staff/E0005/posts/{id}/end", "{post}", NO_POST, {}),
            Hidden("/staff/{id}/posts/999/end", "E0011", NO_POST, {}, seen=WHOLE),
        )
    ),
    "POST /staff/{staff_no}/deputies": Route(
        hidden=(
            Hidden(
                "/staff/{id}/deputies",
                "E0011",
                UNSEEN,
                {"deputy": "E0011", "until": "2099-01-01", "reason": "x"},
                seen=WHOLE,
            ),
        )
    ),
    "POST /staff/{staff_no}/deputies/{number}/end": Route(
        hidden=(Hidden("/staff/E0005/deputies/{id}/end", "{delegation}", like(PEOPLE, 404), {}),)
    ),
    "POST /account/deputies": Route(
        (
            Case(
                "/account/deputies",
                dict.fromkeys(ROLES, 422),
                {"deputy": "E0011", "until": "2099-01-01", "reason": "x"},
            ),
        )
    ),
    "POST /account/deputies/{number}/end": Route(
        hidden=(Hidden("/account/deputies/{id}/end", "{delegation}", NOT_FOUND, {}),)
    ),
    "GET /staff/{staff_no}/hand-over": Route(
        (Case("/staff/E0005/hand-over?to=E0006", UNITS),),
        (Hidden("/staff/{id}/hand-over?to=E0006", "E0011", like(UNITS, 404), seen=WHOLE),),
    ),
    "POST /staff/{staff_no}/hand-over": Route(
        hidden=(
            Hidden(
                "/staff/{id}/hand-over",
                "E0011",
                like(UNITS, 404),
                {"to": "E0006", "reason": "x"},
                seen=WHOLE,
            ),
        )
    ),
    "GET /users": get("/users", answers=USERS),
    "POST /users": Route(
        (Case("/users", like(USERS, 422), {"login": "another", "name": "x", "staff_no": "E0011"}),)
    ),
    "POST /users/reset": Route((Case("/users/reset", like(USERS, 404), {"login": "nobody"}),)),
    "POST /users/{verb}": Route(
        tuple(
            Case(f"/users/{verb}", like(USERS, 404), {"login": "nobody"})
            for verb in ("enable", "disable", "unlock", "sign-out", "unbind")
        )
    ),
    "GET /chains": get("/chains", answers=STAFF),
    "GET /chains/{code}": Route(
        (
            Case("/chains/ic", STAFF),
            Case("/chains/ic?node=ic-eda", STAFF),
            Case("/chains/xx", like(STAFF, 404)),
        )
    ),
    "GET /parks": get("/parks", answers=STAFF),
    "GET /parks/{code}": Route((Case("/parks/PK01", STAFF), Case("/parks/XX", like(STAFF, 404)))),
    "GET /map": get("/map", answers=STAFF),
    "GET /map/inside": get("/map/inside?lon=121.5&lat=31.2&radius_m=50000", answers=STAFF),
    "GET /reach": get("/reach", answers=STAFF),
    "GET /reach/{company_id}": Route(
        (*tuple(Case(f"/reach/{n}", STAFF) for n in (1, 20, 35, 36)), Case("/reach/999", like(STAFF, 404)))
    ),
    "POST /reach/{company_id}/ask": Route((Case("/reach/1/ask", NOT_FOUND, {"number": 19}),)),
    "POST /referrals/{ask_id}": Route(
        hidden=(Hidden("/referrals/{id}", "{ask}", NOT_FOUND, {"agreed": "false"}),)
    ),
    "GET /search/suggest": get("/search/suggest?q=集成", answers=STAFF),
    "GET /search": get("/search?q=集成", answers=STAFF),
    "GET /system": get("/system", answers=SYSTEM),
    "GET /system/runs": get("/system/runs", answers=SYSTEM),
    "POST /system/run": get(answers=SYSTEM),
    "GET /api/v1/search": get("/api/v1/search?q=集成", answers=STAFF),
    "GET /api/v1/companies/{key}": Route(
        (
            *tuple(Case(f"/api/v1/companies/{n}", STAFF) for n in (0, 1, 20, 35)),
            Case("/api/v1/companies/999", like(STAFF, 404)),
        )
    ),
    "GET /api/v1/reach/{key}": get("/api/v1/reach/1", "/api/v1/reach/36", answers=STAFF),
    "GET /api/v1/screen": get(
        "/api/v1/screen?q=customer&limit=100",
        "/api/v1/screen?q=opportunity:inflow_surge&limit=100",
        answers=STAFF,
    ),
    "POST /api/v1/screen": Route((Case("/api/v1/screen", STAFF, json={"query": "customer", "limit": 100}),)),
    "GET /api/v1/opportunities": get("/api/v1/opportunities?days=0&limit=500", answers=STAFF),
    "GET /api/v1/chains": get("/api/v1/chains", answers=STAFF),
    "GET /api/v1/chains/{code}": get("/api/v1/chains/ic", answers=STAFF),
    "GET /api/v1/parks": get("/api/v1/parks", answers=STAFF),
    "GET /api/v1/parks/{code}": get("/api/v1/parks/PK01", answers=STAFF),
    "GET /api/v1/tasks": get("/api/v1/tasks?limit=500", answers=STAFF),
    "GET /api/v1/tasks/{task_id}": Route(
        hidden=(Hidden("/api/v1/tasks/{id}", FOREIGN_TASK, like(STAFF, 404)),)
    ),
    "POST /api/v1/tasks/{task_id}/steps": Route(
        hidden=(
            Hidden(
                "/api/v1/tasks/{id}/steps", FOREIGN_TASK, NOT_FOUND, json={"event": "claim", "version": 1}
            ),
        )
    ),
    "POST /api/v1/tasks/{task_id}/updates": Route(
        hidden=(
            Hidden(
                "/api/v1/tasks/{id}/updates",
                FOREIGN_TASK,
                like(STAFF, 404),
                json={"idempotency_key": "k1", "event": "intend", "sequence": 1},
            ),
        )
    ),
}
ROUTES["POST /api/v1/inbound/{channel}"] = Route(
    tuple(
        Case(
            f"/api/v1/inbound/{channel}",
            dict.fromkeys(ROLES, 403),
            json={"messages": [{"event_no": "e1", "sequence": 1, "record": {}}]},
        )
        for channel in ("opportunities", "outcomes", "tasks")
    ),
    why="for tokens and signatures; tests/web/test_inbound.py",
)
ROUTES["POST /system/run"] = Route(
    why="queues a run; its role is that of GET /system, tests/web/test_pages.py"
)


@dataclass
class Bank:
    """The application with everybody signed in, and what stands for the ids of the table."""

    app: FastAPI
    city: City
    browsers: dict[str, Browser]
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, role: str, method: str, case: Case) -> Any:
        browser = self.browsers[role]
        if method == "GET":
            return browser.client.get(case.address, follow_redirects=False)
        headers = {"X-CSRF-Token": browser.token}
        if case.json is not None:
            return browser.client.post(case.address, json=case.json, headers=headers, follow_redirects=False)
        data = {"csrf": browser.token, **(case.form or {})}
        return browser.client.post(case.address, data=data, follow_redirects=False)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    city = city_rows.build(tmp_path_factory.mktemp("access") / "city")
    app = create_app(city.workspace)
    browsers = {role: Browser(app).sign_in(login, city.passwords[login]) for role, login in LOGINS.items()}
    found = Bank(app, city, browsers)
    with city.workspace.sql.connect() as connection:
        rows = connection.execute(sa.text("SELECT company_id, task_id FROM tasks"))
        found.ids = {f"task:{row.company_id}": str(row.task_id) for row in rows}
    yield found
    city.workspace.sql.dispose()


def listed(app: FastAPI) -> set[str]:
    """Every route of the application's own table, however deep."""

    def walk(routes: Any) -> Iterator[str]:
        for route in routes:
            inner = getattr(route, "effective_candidates", None)
            if inner is not None:
                yield from walk(inner())
                continue
            methods = sorted(set(getattr(route, "methods", None) or ["MOUNT"]) - {"HEAD"})
            yield from (f"{method} {route.path}" for method in methods)

    return set(walk(app.routes))


def test_every_route_is_declared(bank: Bank) -> None:
    here = listed(bank.app)
    assert here - set(ROUTES) == set(), "declare these routes in ROUTES"
    assert set(ROUTES) - here == set(), "these routes are gone"


CASES = [(key, case) for key, route in ROUTES.items() for case in route.cases]
HIDDEN = [(key, case) for key, route in ROUTES.items() for case in route.hidden]


def text_of(answer: Any) -> str:
    """Return the text of an answer; of a workbook that of its cells."""
    if answer.content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return "".join(
                book.read(name).decode("utf-8") for name in book.namelist() if name.endswith(".xml")
            )
    return str(answer.text)


def too_many(role: str, text: str) -> set[str]:
    """Return the marks in a text that the role may not see."""
    found = set()
    for kind, digits in MARK.findall(text):
        number = int(digits)
        owner = lead_owner(number) if kind == "线索词" else KEEPERS[number]
        if not may_see(role, *owner):
            found.add(kind + digits)
    return found


def lead_owner(number: int) -> tuple[str, str | None]:
    """Whose a lead is: its desk's, or where it was rejected that of the unit that covers the firm's division."""
    return desk_of(number)[1:] if number % 9 else ("S01", None)


def own_customers(role: str) -> set[int]:
    return {n for n, owner in KEEPERS.items() if may_see(role, *owner)}


def own_tasks(role: str) -> set[int]:
    return {n for n in range(36) if n % 9 and may_see(role, *desk_of(n)[1:])}


def called_customers(text: str) -> set[int]:
    """Return the companies that a page or a document calls customers."""
    found = {
        int(ids[0])
        for row in re.split(r"<tr|<article|<li", text)
        if (ids := re.findall(r'href="/companies/(\d+)"', row)) and ">存量<" in row
    }
    for item in re.findall(r"\{[^{}]*\}", text):
        number = re.search(r'"company_id":\s*(\d+)', item)
        if number and re.search(r'"is_customer":\s*true', item):
            found.add(int(number[1]))
    return found


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("key", "case"), CASES, ids=[case.address for _, case in CASES])
def test_who_may_open_it_and_what_he_sees(bank: Bank, key: str, case: Case, role: str) -> None:
    answer = bank.ask(role, key.split(maxsplit=1)[0], case)
    assert answer.status_code == case.answers[role], answer.text[:300]
    text = text_of(answer)
    assert too_many(role, text) == set()
    assert called_customers(text) <= own_customers(role) | own_tasks(role)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("key", "case"), HIDDEN, ids=[f"{key}" for key, _ in HIDDEN])
def test_what_is_hidden_answers_as_what_does_not_exist(bank: Bank, key: str, case: Hidden, role: str) -> None:
    other = bank.ids.get(case.other.strip("{}"), case.other.strip("{}") if "{" not in case.other else "7")
    if (role == "analyst" and "task" in case.other) or role in case.seen:
        return
    bodies = []
    for number in (other, "987654"):
        form = (
            None if case.form is None else {k: str(v).replace("{id}", number) for k, v in case.form.items()}
        )
        request = Case(case.address.replace("{id}", number), case.answers, form, case.json)
        if role == "analyst" and case.address == "/inventory/matches" and number == other:
            continue
        answer = bank.ask(role, key.split(maxsplit=1)[0], request)
        assert answer.status_code == case.answers[role], answer.text[:300]
        # The answer may repeat what was asked for.
        echoed = answer.text.replace(f"“{number}”", "“{id}”").replace(f" {number} ", " {id} ")
        bodies.append((answer.status_code, echoed, sorted(answer.headers.items())))
    assert len({body[:2] for body in bodies}) == 1


@pytest.mark.parametrize("role", ROLES)
def test_lists_hold_exactly_what_the_role_may_see(bank: Bank, role: str) -> None:
    """As many rows as there should be, not only none too many."""
    if role == "administrator":
        return
    read = bank.browsers[role].client
    screened = read.get("/api/v1/screen?q=customer&limit=100").json()
    assert {item["company_id"] for item in screened["items"]} == own_customers(role)
    assert screened["count"] == len(own_customers(role))
    rest = read.get("/api/v1/screen?q=!customer&limit=100").json()
    assert rest["count"] == 60 - len(own_customers(role))
    tasks = read.get("/api/v1/tasks?limit=500").json()
    assert {item["company_id"] for item in tasks["items"]} == own_tasks(role)
    assert tasks["count"] == len(own_tasks(role))
    flows = read.get("/api/v1/opportunities?days=0&kind=inflow_surge&limit=100").json()
    assert {item["company_id"] for item in flows["items"]} == own_customers(role)
    assert flows["count"] == len(own_customers(role))
    signals = read.get("/api/v1/screen?q=opportunity:inflow_surge&limit=100").json()
    assert {item["company_id"] for item in signals["items"]} == own_customers(role)


@pytest.mark.parametrize("role", ["manager", "sub", "branch"])
def test_a_difference_of_two_queries_tells_nothing(bank: Bank, role: str) -> None:
    """No pair of conditions that hold for every company singles the others' customers out."""
    read = bank.browsers[role].client
    every = read.get("/api/v1/screen?q=&limit=100").json()["count"]
    for query in ("customer | !customer", "opportunity | !opportunity", "customer:S11 | !customer:S11"):
        assert read.get("/api/v1/screen", params={"q": query}).json()["count"] == every
    assert read.get("/api/v1/screen", params={"q": "customer:S11"}).json()["count"] == 0


@pytest.mark.parametrize("role", ["manager", "sub", "branch"])
def test_small_numbers_of_others_customers_are_withheld(bank: Bank, role: str) -> None:
    """Of a node, a chain, a park: exact where nobody or at least five are elsewhere, else only that they are few."""
    read = bank.browsers[role].client
    own = own_customers(role)

    def check(item: dict[str, Any], members: set[int]) -> None:
        total, mine = set(KEEPERS) & members, own & members
        elsewhere = len(total - mine)
        if item["below"] is None:
            assert item["customers"] == len(total)
            assert elsewhere == 0 or elsewhere >= 5
        else:
            assert item["customers"] == len(mine)
            assert elsewhere > 0

    everybody = set(range(60))
    check(read.get("/api/v1/chains").json()[0], everybody)
    chain = read.get("/api/v1/chains/ic").json()
    check(chain["count"], everybody)
    for stage in chain["stages"]:
        for node in stage["nodes"]:
            place = [code for code, _, _ in base.NODES].index(node["node_code"])
            check(node["count"], {n for n in everybody if n % 5 == place})
    for code, count in chain["regions"].items():
        place = [district for district, _, _ in base.DISTRICTS].index(code)
        check(count, {n for n in everybody if n % 3 == place})
    park = read.get("/api/v1/parks/PK01").json()
    check(park, {n for n in everybody if n % 2 == 0})
    assert (park["penetration"] is None) == (park["below"] is not None)


def test_withheld_numbers_are_said_to_be_few(bank: Bank) -> None:
    pages = [
        bank.browsers["manager"].client.get(address).text
        for address in ("/chains/ic", "/parks", "/parks/PK01")
    ]
    told = [
        bank.browsers["analyst"].client.get(address).text
        for address in ("/chains/ic", "/parks", "/parks/PK01")
    ]
    assert any("＜" in page for page in pages)
    assert not any("＜" in page for page in told)


def test_the_marks_are_there_for_those_who_may(bank: Bank) -> None:
    """The test above could not fail if nobody saw anything."""
    seen: set[str] = set()
    for key, case in CASES:
        seen |= {kind for kind, _ in MARK.findall(text_of(bank.ask("analyst", key.split()[0], case)))}
    assert seen >= {"客户号甲", "流水信号", "线索词"}


def test_no_task_was_changed(bank: Bank) -> None:
    with bank.city.workspace.sql.connect() as connection:
        assert connection.execute(sa.text("SELECT max(version) FROM tasks")).scalar_one() == 1
