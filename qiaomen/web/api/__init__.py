"""JSON API ``/api/v1``: the same data as the pages, for machines. Errors are RFC 9457 problems; OpenAPI describes it."""

from __future__ import annotations

from fastapi import APIRouter

from qiaomen.web.api.catalogue import router as catalogue
from qiaomen.web.api.companies import router as companies
from qiaomen.web.api.inbound import router as inbound
from qiaomen.web.api.tasks import router as tasks
from qiaomen.web.api.updates import router as updates

router = APIRouter(
    responses={
        401: {"description": "no session and no valid token"},
        403: {"description": "the viewer's roles do not allow it"},
        404: {"description": "it does not exist, or the viewer may not know that it does"},
        422: {"description": "the input cannot be accepted"},
    }
)
for part in (companies, catalogue, tasks, updates, inbound):
    router.include_router(part)
