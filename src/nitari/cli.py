"""``nitari JOB [key=value ...]``: looks a job up and runs it. Imports nothing heavy, so that help answers at once."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from nitari import __version__
from nitari.errors import ConfigError, MissingExtraError, NitariError

# The training side composes Hydra configurations; the serving side parses the same key=value form without Hydra.
TRAIN = ("ingest", "fit", "extract", "build", "evaluate", "pipeline", "demo")
SERVE = ("recommend", "show", "doctor")


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"nitari {__version__}")
        return 0
    job, rest = words[0], words[1:]
    try:
        if job not in TRAIN + SERVE:
            raise ConfigError(f"There is no job '{job}'.{_suggest(job)} See them all with: nitari --help")
        if "-h" in rest or "--help" in rest:
            print(_help(job))
            return 0
        if job in SERVE:
            return int(importlib.import_module(f"nitari.serve.{job}").main(rest) or 0)
        if find_spec("hydra") is None:
            raise MissingExtraError("hydra-core", "train")
        overrides = importlib.import_module("nitari.train.overrides")
        sys.argv = [f"nitari {job}", *overrides.quote(rest)]
        importlib.import_module(f"nitari.train.{job}").main()
    except NitariError as error:
        print(f"nitari: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("\nnitari: interrupted; run the same command again to go on where it stopped", file=sys.stderr)
        return 130
    return 0


def _folder(job: str) -> Path:
    """The source file of a job, found without importing it."""
    package = "nitari.train" if job in TRAIN else "nitari.serve"
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise NitariError(f"The package '{package}' is not installed with this nitari")
    return Path(spec.origin).parent


def _docstring(job: str) -> str:
    tree = ast.parse((_folder(job) / f"{job}.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def _overview() -> str:
    lines = [__doc__.split(":")[0].strip("`"), ""]
    for title, jobs in (("Jobs (the extra 'train'):", TRAIN), ("Commands (the extra 'serve' is enough):", SERVE)):
        lines.append(title)
        lines += [f"  {job:<10} {_docstring(job).splitlines()[0]}" for job in jobs]
        lines.append("")
    lines += [
        "Settings are written key=value, filters too: where=\"category='bag' and price<50\"",
        "More: nitari JOB --help",
    ]
    lines[0] = 'nitari turns a pile of pictures into a "more like this" service.\n\nUsage: nitari JOB [key=value ...]'
    return "\n".join(lines)


def _help(job: str) -> str:
    text = [f"nitari {job}: {_docstring(job)}"]
    if job in TRAIN:
        conf = _folder(job).parent / "conf" if (_folder(job).parent / "conf" / "base.yaml").exists() else _conf()
        text += ["", "Settings, with their defaults:", ""]
        text += [f"  {line}" for line in _settings(conf, job)]
    return "\n".join(text)


def _conf() -> Path:
    spec = find_spec("nitari.conf")
    if spec is None or spec.origin is None:
        raise NitariError("The package 'nitari.conf' is not installed with this nitari")
    return Path(spec.origin).parent


def _settings(conf: Path, job: str) -> list[str]:
    """The lines of a job's YAML and of the shared one, as written, and the choices of each group it composes."""
    lines = []
    for name in (job, "base"):
        for line in (conf / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
            if line.startswith("hydra:"):
                break
            group = re.fullmatch(r"\s+- (?:override )?/?(\w+): (\w+).*", line)
            if group and (conf / group[1]).is_dir():
                choices = sorted(p.stem for p in (conf / group[1]).glob("*.yaml"))
                lines.append(f"{group[1]}: {group[2]}".ljust(46) + f" # one of: {', '.join(choices)}")
            elif line.strip() and not line.startswith(("defaults:", "  - ", "# @package")):
                lines.append(line)
    return lines


def _suggest(job: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(job, TRAIN + SERVE, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
