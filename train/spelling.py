"""The spelling of a job's settings: what is mistyped is said before anything is composed, with what was meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from nitari import guess
from nitari.cli import TRAIN
from nitari.errors import ConfigError

from .choices import known

_MULTIRUN = ("-m", "--multirun")
_OPTIONS = (
    *("-m", "--multirun", "-r", "--run", "-c", "--cfg", "-p", "--package", "-i", "--info", "-cn", "--config-name"),
    *("-cp", "--config-path", "-cd", "--config-dir", "-sc", "--shell-completion", "--resolve", "--hydra-help"),
    *("--version", "--experimental-rerun"),
)
"""Hydra's own."""
_EXPERIMENT = "experiment"


def checked(job: str, words: Sequence[str]) -> list[str]:
    """The words as Hydra takes them: ``experiment=NAME`` needs no ``+``, and may have one. ConfigError, with what comes close,
    on a setting or choice that the job does not have. Words that are quoted come in (see ``overrides``).
    """
    for word in words:
        option, _, value = word.partition("=")
        if word.startswith("-") and option not in _OPTIONS:
            raise ConfigError(
                f"'{word}' is not a setting. Settings are written key=value: {option.lstrip('-')}={value or '…'}. "
                f"See: nitari {job} --help"
            )
    spelt = [word if word.startswith("-") else _experiment(job, word) for word in words]
    if any(word.startswith("-") and word not in _MULTIRUN for word in words):
        return spelt  # Hydra's own options: they may lead to other configurations
    overrides = [_parsed(job, word) for word in spelt if word not in _MULTIRUN]
    with initialize_config_module("nitari.conf", version_base="1.3"):
        groups = _groups(job)
        settings = _plain(_composed(job, [word for each in overrides for word in _chosen(job, each, groups)]))
        given = [f"{_raw(each)}." for each in overrides if _name(each) not in groups]
        for each in overrides:
            whole = _name(each) in groups or _raw(each).startswith(("hydra", *given))  # what is in them is theirs
            if each.type == OverrideType.CHANGE and not whole:
                _check(job, each, settings, groups)
    return spelt


def _experiment(job: str, word: str) -> str:
    """An experiment is added to the jobs that have none by themselves, and takes the place of the one they have."""
    plain = word.removeprefix("+")
    if not plain.startswith(f"{_EXPERIMENT}="):
        return word
    text = (files("nitari.conf") / f"{job}.yaml").read_text(encoding="utf-8")
    return plain if f"- {_EXPERIMENT}:" in text else f"+{plain}"


def _parsed(job: str, word: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        hint = "Settings are written key=value" if "=" not in word else "It cannot be read"
        raise ConfigError(f"'{word}' is not a setting. {hint}. See: nitari {job} --help") from None


def _groups(job: str) -> dict[str, Any]:
    """What the job composes, as ``group`` or ``group@package``, and the choice that is made of each."""
    choices = _composed(job, [], True).hydra.runtime.choices
    return {name: choice for name, choice in choices.items() if not name.startswith("hydra/")}


def _composed(job: str, words: Sequence[str], whole: bool = False) -> DictConfig:
    try:
        return compose(job, list(words), return_hydra_config=whole)
    except HydraException as error:
        raise ConfigError(f"{str(error).splitlines()[0]} See: nitari {job} --help") from None


def _chosen(job: str, override: Override, groups: Mapping[str, Any]) -> Iterator[str]:
    """The override as a word with one choice, where it chooses of a group; ConfigError where there is no such choice."""
    group = _raw(override)
    composed = _name(override) in groups
    if not composed and (override.type == OverrideType.CHANGE or not (files("nitari.conf") / group).is_dir()):
        return
    if override.type == OverrideType.DEL:
        return
    if group == _EXPERIMENT and not composed and "model" not in groups:
        raise ConfigError(f"nitari {job} takes no experiment. It is given to what trains: fit, sweep, pipeline, demo")
    values = [value for each in _values(override) for value in (each if isinstance(each, list) else [each])]
    there = known(group)
    for value in values:
        if value is not None and str(value) not in there:
            raise ConfigError(f"{group} is '{value}'. {_meant(str(value), there)}Choose one of: {', '.join(there)}")
    if values:
        yield f"{override.get_key_element()}={'null' if values[0] is None else values[0]}"


def _values(override: Override) -> list[Any]:
    if not override.is_sweep_override():
        return [override.value()]
    try:
        return [str(value) for value in override.sweep_string_iterator()]
    except HydraException:  # glob(…) and the like: Hydra knows
        return []


def _check(job: str, override: Override, settings: Mapping[str, Any], groups: Mapping[str, Any]) -> None:
    """ConfigError unless the job has a setting of that name."""
    key, node, path = _raw(override), settings, ""
    value = str(override.input_line).partition("=")[2]
    for part in key.split("."):
        if isinstance(node, list) or "[" in part:
            return
        if not isinstance(node, dict):
            whole = f"{path}={{{part}: {value}}}" if node is None else f"{path}=…"
            shown = "null" if node is None else node
            raise ConfigError(
                f"'{key}' is '{value}', and {path} is {shown}: it has no settings. Give it whole: {whole}"
            )
        if part not in node:
            beside = [name for name in node if name != "_target_"] if path else []
            raise ConfigError(_unknown(job, key, value, [*_names(settings), *groups], path, beside))
        node, path = node[part], f"{path}.{part}".lstrip(".")
    _check_kind(key, node, [override.value()] if not override.is_sweep_override() else [])


def _check_kind(key: str, default: object, values: Sequence[object]) -> None:
    """ConfigError where a word is given for what is a number, or is true or false, by default."""
    kind = "true or false" if isinstance(default, bool) else "a number" if isinstance(default, int | float) else None
    for value in values:
        word = value if isinstance(value, str) else str(value) if isinstance(value, QuotedString) else None
        if kind is not None and word not in (None, "auto") and "${" not in str(word):
            raise ConfigError(f"{key} is '{word}'. Give {kind}, such as {str(default).lower()}")


def _unknown(job: str, key: str, value: str, names: Sequence[str], path: str, beside: Sequence[str]) -> str:
    """``beside`` are the settings in ``path``, which is the part of ``key`` that is there."""
    names = list(dict.fromkeys(names))
    same = [name for name in names if name.rpartition(".")[2] == key.rpartition(".")[2]]
    close = [name for name in same if not beside or name.startswith(f"{path}.") or name.count(".") < 2]
    if beside:
        part, dot, rest = key.removeprefix(f"{path}.").partition(".")
        likely = [f"{path}.{name}{dot}{rest}" for name in guess.close(part, beside, 3)]
        likely = [name for name in likely if not dot or name in names]
    else:
        likely = guess.close(key, names, 3)
    close = list(dict.fromkeys([*likely, *close] if beside else [*close, *likely]))
    hint = f"Did you mean {' or '.join(shlex.quote(f'{name}={value}') for name in close[:3])}? " if close else ""
    others: list[str] = []
    if not close and not beside:
        others = [one for one in TRAIN if key in [*_names(_plain(_composed(one, []))), *_groups(one)]]
    hint += f"In {path} there are: {', '.join(beside)}. " if beside and not close else ""
    hint += f"Other jobs have it: {', '.join(others)}. " if others else ""
    return f"nitari {job} has no setting '{key}', which is given as '{value}'. {hint}See: nitari {job} --help"


def _plain(cfg: DictConfig) -> dict[str, Any]:
    return dict(OmegaConf.to_container(cfg, resolve=False))


def _names(settings: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The names of all settings, with dots."""
    for name, value in settings.items():
        if name != "_target_":
            yield f"{path}{name}"
            yield from _names(value, f"{path}{name}.") if isinstance(value, dict) else ()


def _meant(value: str, choices: Sequence[str]) -> str:
    close = guess.close(value, choices, 3)
    return f"Did you mean {' or '.join(close)}? " if close else ""


def _raw(override: Override) -> str:
    return str(override.key_or_group)


def _name(override: Override) -> str:
    return _raw(override) + (f"@{override.package}" if override.package else "")
