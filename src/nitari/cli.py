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
from nitari.guess import meant

# The training side composes Hydra configurations; the serving side parses the same key=value form without Hydra.
TRAIN = ("ingest", "fit", "extract", "annotate", "build", "evaluate", "compare", "sweep", "pipeline", "demo")
SERVE = (
    *(
        "serve",
        "recommend",
        "duplicates",
        "infringe",
        "append",
        "remove",
        "purge",
        "release",
        "push",
        "pull",
        "gc",
        "show",
        "doctor",
    ),
)


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
            raise ConfigError(f"There is no job '{job}'. {meant(job, TRAIN + SERVE)}See them all with: nitari --help")
        if "-h" in rest or "--help" in rest:
            print(_help(job))
            return 0
        if job in SERVE:
            return int(importlib.import_module(f"nitari.serve.{job}").main(rest) or 0)
        if find_spec("hydra") is None:
            raise MissingExtraError("hydra-core", "train")
        quoted = importlib.import_module("nitari.train.overrides").quote(rest, sweep=job == "sweep")
        sys.argv = [f"nitari {job}", *importlib.import_module("nitari.train.spelling").checked(job, quoted)]
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


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing what is in it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise NitariError(
            f"The package '{name}' is not installed with this nitari. Run: pip install --force-reinstall nitari"
        )
    return Path(spec.origin).parent


def _docstring(job: str) -> str:
    tree = ast.parse(
        (_package("nitari.train" if job in TRAIN else "nitari.serve") / f"{job}.py").read_text(encoding="utf-8")
    )
    return ast.get_docstring(tree) or ""


def _overview() -> str:
    lines = [
        'nitari turns a large pile of pictures into a "more like this" service.',
        "",
        "Usage: nitari JOB [key=value ...]",
        "",
    ]
    for title, jobs in (("Jobs (extra 'train'):", TRAIN), ("Commands (extra 'serve' is enough):", SERVE)):
        lines.append(title)
        lines += [f"  {job:<10} {_docstring(job).splitlines()[0]}" for job in jobs]
        lines.append("")
    lines.append("Values are typed as anywhere in a shell, filters too: where=\"category='bag' and price<50\"")
    lines.append("More: nitari JOB --help")
    return "\n".join(lines)


def _help(job: str) -> str:
    text = [f"nitari {job}: {_docstring(job)}"]
    if job in TRAIN:
        text += ["", "Settings, with their defaults:", ""]
        text += [f"  {line}" for line in _settings(_package("nitari.conf"), job)]
    return "\n".join(text)


def _settings(conf: Path, job: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """The lines of a job's YAML, of those it composes and of its groups' choices, as their authors wrote them."""
    lines: list[str] = []
    text = (conf / f"{job}.yaml").read_text(encoding="utf-8")
    seen |= {job}
    for line in text.partition("\nhydra:")[0].splitlines():
        default = re.fullmatch(r"\s+- (?:override )?/?(\w+)(?:: (\w+))?.*", line)
        if default and default[2]:
            lines += _group(conf, default[1], default[2])
        elif default and default[1] not in seen and (conf / f"{default[1]}.yaml").exists():
            lines += _settings(conf, default[1], seen)
        elif line.strip() and not line.startswith(("defaults:", "  - ", "# @package")):
            lines.append(line)
    return list(dict.fromkeys(lines))


def _group(conf: Path, group: str, choice: str) -> list[str]:
    """A group: its choices, and the settings of the one that is composed."""
    choices = ", ".join(sorted(path.stem for path in (conf / group).glob("*.yaml")))
    lines = [f"{group}: {choice}".ljust(46) + f" # one of: {choices}"]
    if group == "experiment":  # what it sets is shown where it belongs
        return lines
    for line in (conf / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("_target_", "# @package", "defaults:", "  - ")):
            key, mark, comment = line.partition("#")
            if key.strip():
                key = f"{group}.{key.rstrip()}" if line[0] != " " else f"  {key.rstrip()}"
            lines.append(f"{key.ljust(46)} {mark}{comment}".rstrip() if key else line)
    return lines
