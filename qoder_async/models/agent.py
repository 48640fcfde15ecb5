"""The agent a deployment, a run or a session works with."""

from typing import Any

import msgspec

from qoder_async.models.model import Model


class AgentRef(Model, frozen=True, kw_only=True, gc=False):
    """The agent and the version of it that does the work.

    Attributes:
        id: The agent's id.
        version: The version, resolved to a number by the service.
        type: Always `"agent"`.
    """

    id: str
    version: int
    type: str = "agent"


class SessionAgent(Model, frozen=True, kw_only=True):
    """The agent as it was when a session started, settings and all.

    Attributes:
        id: The agent's id.
        version: The agent's version.
        type: Always `"agent"`.
        name: The agent's name.
        description: The agent's description.
        model: The model's name, or an object with its `id` and settings.
        system: The system prompt; not shown in `repr`.
        tools: The tools the agent may use; not shown in `repr`.
        skills: The agent's skills; not shown in `repr`.
        mcp_servers: The MCP servers the agent may reach; not shown in `repr`, as settings may hold secrets.
    """

    _shown = ("id", "version", "type", "name")

    id: str
    version: int | None = None
    type: str = "agent"
    name: str | None = None
    description: str | None = None
    model: str | dict[str, Any] | None = None
    system: str | None = None
    tools: list[Any] = msgspec.field(default_factory=list)
    skills: list[Any] = msgspec.field(default_factory=list)
    mcp_servers: list[Any] = msgspec.field(default_factory=list)

    def __hash__(self) -> int:
        return hash(self.id)
