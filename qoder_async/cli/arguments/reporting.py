"""The common options of commands that show one report at their end."""

from __future__ import annotations

import attrs
from cyclopts import Parameter

from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.common import Common, Flag


@Parameter(name="*", group=groups.COMMON)
@attrs.frozen(kw_only=True)
class ReportingCommon(Common):
    """The common options, of which ``--json`` means the report.

    Attributes:
        base_url: The service's address; absent: QODER_BASE_URL, then Qoder's own.
        json: One JSON object at the end, and nothing else.
        allow_insecure: Accept http:// to another machine; everyone on the way can read the token.
        timeout: Seconds for one attempt of a request; reads are tried up to 4 times.
    """

    json: Flag = False


REPORTING = ReportingCommon()
