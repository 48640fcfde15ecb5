"""What the creation and the update of a deployment may say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qoder_async.simulator.cron import CronError, parse_cron
from qoder_async.simulator.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

LATEST_AGENT_VERSION = 3
_REQUIRED = ("name", "agent", "environment_id", "initial_events")
_EVENT_TYPES = ("user.message", "user.define_outcome", "system.message")
_RESOURCE_TYPES = ("github_repository", "git_repository", "file", "memory_store")
_SECRETS = ("authorization_token", "password")
"""Fields of a resource that are taken but never given back."""
_LARGEST = 2**53 - 1
"""The largest integer that every reader of JSON takes."""
_CREDITS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_DEFAULTS: dict[str, Any] = {
    "description": "",
    "environment_variables": "",
    "resources": [],
    "vault_ids": [],
    "metadata": {},
    "schedule": None,
    "budget": None,
}


def creation(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check what a creation says.

    Args:
        body: The request.

    Returns:
        All fields of the deployment, and the ``cas_config`` of its metadata (empty where there is none).

    Raises:
        ProblemError: If a field is missing or invalid.
    """
    for name in _REQUIRED:
        if body.get(name) is None:
            raise invalid(f"Missing required field: {name}", name)
    fields = {name: check(body.get(name, _DEFAULTS.get(name)), name) for name, check in _CHECKS.items()}
    metadata, cas_config = _metadata(body.get("metadata") or {}, {})
    return fields | {"metadata": metadata}, cas_config


def update(body: dict[str, Any], fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check what an update says; it is a merge patch.

    Args:
        body: The request.
        fields: The fields of the deployment so far, which are left alone.

    Returns:
        All fields of the deployment from now on, and the ``cas_config`` of the request (empty where there is
        none).

    Raises:
        ProblemError: If a field is invalid.
    """
    changed = {name: check(body[name], name) for name, check in _CHECKS.items() if name in body}
    metadata, cas_config = _metadata(body.get("metadata") or {}, fields["metadata"])
    return fields | changed | {"metadata": metadata}, cas_config


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string", name)
    return value


def _clearable_text(value: Any, name: str) -> str:
    return "" if value is None else _text(value, name)


def _name(value: Any, name: str) -> str:
    text = _text(value, name)
    if not 1 <= len(text) <= 256:
        raise invalid(f"{name} must have 1 to 256 characters", name)
    return text


def _environment_id(value: Any, name: str) -> str:
    if not _text(value, name):
        raise invalid(f"{name} must not be empty", name)
    return str(value)


def _list(value: Any, name: str, most: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(f"{name} must be an array", name)
    if len(value) > most:
        raise invalid(f"{name} must have at most {most} entries", name)
    return value


def _agent(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, str) and value:
        return {"id": value, "type": "agent", "version": LATEST_AGENT_VERSION}
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or value.get("type") != "agent":
        raise invalid(f'{name} must be an id or an object with "id" and "type": "agent"', name)
    version = value.get("version", LATEST_AGENT_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= _LARGEST:
        raise invalid("agent.version must be a positive integer", "agent.version")
    return {"id": value["id"], "type": "agent", "version": version}


def _initial_events(value: Any, name: str) -> list[Any]:
    events = _list(value, name, 50)
    if not events:
        raise invalid(f"{name} must have 1 to 50 entries", name)
    _check_types(events, name, _EVENT_TYPES)
    return events


def _check_types(entries: list[Any], name: str, types: tuple[str, ...]) -> None:
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("type") not in types:
            raise invalid(f"{name}[{index}].type must be one of {', '.join(types)}", f"{name}[{index}].type")


def _resources(value: Any, name: str) -> list[Any]:
    resources = _list(value, name, 500)
    _check_types(resources, name, _RESOURCE_TYPES)
    return [{key: part for key, part in entry.items() if key not in _SECRETS} for entry in resources]


def _vault_ids(value: Any, name: str) -> list[Any]:
    vaults = _list(value, name, 50)
    if not all(isinstance(vault, str) for vault in vaults):
        raise invalid(f"{name} must be an array of strings", name)
    return vaults


def _schedule(value: Any, name: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object", name)
    for part in ("type", "expression", "timezone"):
        if not isinstance(value.get(part), str):
            raise invalid(f"Missing required field: {name}.{part}", f"{name}.{part}")
    if value["type"] != "cron":
        raise invalid(f'{name}.type must be "cron"', f"{name}.type")
    try:
        parse_cron(value["expression"], value["timezone"])
    except CronError as error:
        raise invalid(str(error), f"{name}.{error.field}") from None
    return {"type": "cron", "expression": value["expression"], "timezone": value["timezone"]}


def _budget(value: Any, name: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") != "limit":
        raise invalid(f'{name}.type must be "limit"', f"{name}.type")
    cost = value.get("max_credit_cost")
    if not isinstance(cost, str) or not _CREDITS.fullmatch(cost) or not float(cost):
        raise invalid(f"{name}.max_credit_cost must be a positive decimal string", f"{name}.max_credit_cost")
    return {"type": "limit", "max_credit_cost": cost}


def _metadata(patch: Any, metadata: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Lay a patch over metadata; the reserved key ``cas_config`` goes its own way."""
    if not isinstance(patch, dict):
        raise invalid("metadata must be an object", "metadata")
    cas_config = _cas_config(patch.get("cas_config") or {})
    merged = metadata | {key: value for key, value in patch.items() if key != "cas_config"}
    merged = {key: value for key, value in merged.items() if value is not None}
    if len(merged) > 16:
        raise invalid("metadata must have at most 16 keys", "metadata")
    for key, value in merged.items():
        if len(key) > 64:
            raise invalid("metadata keys must have at most 64 characters", "metadata")
        if not isinstance(value, str) or len(value) > 512:
            raise invalid("metadata values must be strings of at most 512 characters", f"metadata.{key}")
    return merged, cas_config


def _cas_config(config: Any) -> dict[str, Any]:
    where = "metadata.cas_config"
    if not isinstance(config, dict) or not isinstance(config.get("config") or {}, dict):
        raise invalid(f"{where} must be an object", where)
    strategy = config.get("session_strategy", "new_session")
    if strategy not in ("new_session", "reuse"):
        raise invalid(f"{where}.session_strategy is unknown", f"{where}.session_strategy")
    for key, least in (("max_concurrent", 1), ("max_retries", 0), ("timeout_ms", 1)):
        value = (config.get("config") or {}).get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LARGEST:
            raise invalid(f"{key} must be an integer of at least {least}", f"{where}.config.{key}")
    return config


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "name": _name,
    "description": _clearable_text,
    "agent": _agent,
    "environment_id": _environment_id,
    "environment_variables": _clearable_text,
    "initial_events": _initial_events,
    "resources": _resources,
    "vault_ids": _vault_ids,
    "schedule": _schedule,
    "budget": _budget,
}
