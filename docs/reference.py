"""Reference of the public Python names, of their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import cast

LONGEST = 100  # characters of a signature's line
_EXAMPLE = re.compile(r"^(?:(?:>>>|\.\.\.) .*\n?)+", re.MULTILINE)


def write() -> str:
    """Write a section for each public name."""
    package = runpy.run_path(str(Path(__file__).resolve().parent.parent / "animate.py"))["load_pack"]()
    return "\n\n".join("\n\n".join(section(name, getattr(package, name))) for name in package.__all__)


def section(name: str, thing: object) -> Iterator[str]:
    """Yield the paragraphs on a class and its public methods, or on a function."""
    yield f"### {name}"
    if not isinstance(thing, type):
        yield code(f"def {name}", thing)
        yield described(thing)
        return
    kind = cast("type[object]", thing)
    if not issubclass(kind, Exception):
        yield code(f"class {name}", kind)
    yield described(kind)
    for method, value in vars(kind).items():
        function: object = getattr(value, "__func__", value)  # of a class method
        if isinstance(function, FunctionType) and not method.startswith("_") and function.__doc__:
            yield f"#### {name}.{method}"
            yield code(f"def {method}", function)
            yield described(function)


def described(thing: object) -> str:
    """Return a docstring, its examples as code."""
    return _EXAMPLE.sub(lambda match: f"```python\n{match[0].rstrip()}\n```\n", inspect.getdoc(thing) or "")


def code(head: str, thing: object) -> str:
    """Return the signature of a class or a function as code, on one line or one for each parameter."""
    assert callable(thing)
    signature = inspect.signature(thing)
    parameters = [*_parameters(signature)]
    end = "" if head.startswith("class") else f" -> {_shown(signature.return_annotation)}"
    line = f"{head}({', '.join(parameters)}){end}"
    if len(line) > LONGEST:
        line = "\n".join([f"{head}(", *(f"    {parameter}," for parameter in parameters), f"){end}"])
    return f"```python\n{line}\n```"


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    named = False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            named = True
            yield "*"
        shown = parameter.name
        if parameter.annotation is not parameter.empty:
            shown += f": {_shown(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            plain = isinstance(parameter.default, str | int | float | tuple | None)
            shown += f" = {parameter.default!r}" if plain else " = ..."
        yield shown


def _shown(annotation: object) -> str:
    """Return an annotation as it is written in the code."""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", repr(annotation))


if __name__ == "__main__":
    print(write())
