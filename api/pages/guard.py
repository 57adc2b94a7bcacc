"""What pages ask of a request: who is there and the service, under short names."""

from typing import Annotated

from fastapi import Depends

from api.access import Actor, allowed, signed_in
from api.service import Service, get_service

TheService = Annotated[Service, Depends(get_service)]
Anybody = Annotated[Actor, Depends(signed_in)]  # also before the first password is changed
Reader = Annotated[Actor, Depends(allowed("orders:read"))]
Writer = Annotated[Actor, Depends(allowed("orders:write"))]
Reviewer = Annotated[Actor, Depends(allowed("reviews:write"))]
Appellant = Annotated[Actor, Depends(allowed("appeals:write"))]
Judge = Annotated[Actor, Depends(allowed("appeals:decide"))]
PlansReader = Annotated[Actor, Depends(allowed("plans:read"))]
PlansWriter = Annotated[Actor, Depends(allowed("plans:write"))]
ReportsReader = Annotated[Actor, Depends(allowed("reports:read"))]
NoticesReader = Annotated[Actor, Depends(allowed("notices:read"))]
NoticesSettler = Annotated[Actor, Depends(allowed("notices:settle"))]
Browser = Annotated[Actor, Depends(allowed("catalogue:read"))]
Admin = Annotated[Actor, Depends(allowed("admin"))]
Auditor = Annotated[Actor, Depends(allowed("audit:read"))]
