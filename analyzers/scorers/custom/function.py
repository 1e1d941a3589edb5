"""Kind `python`: a function of the user's own scores a text, or a span."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzers.scorers.custom.common import CustomOptions, Surroundings, as_score, outputs_of, text_of, version_of
from analyzers.scorers.options import options_of
from leewatch.contracts import Encoder, Scorer
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts

TEXTS = ("prompt", "response", "context")


class FunctionOptions(CustomOptions):
    """function: `package.module:name`, or `path/to/file.py:name`."""

    function: str


class FunctionScorer:
    """Calls the function once a text or, where its parameters are called after texts, once a span."""

    def __init__(self, name: str, function: Callable[..., Any], fields: Sequence[str], version: str) -> None:
        self.name = name
        self.version = version
        self._function = function
        self._wanted = _texts_wanted(function)
        self._fields = (fields[0],) if self._wanted else tuple(fields)
        self.outputs = outputs_of(name, self._fields)

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """What the function gives; what it raises escapes. A span without a text that it needs gets no score."""
        return [
            [as_score(output, given) for output in self.outputs if (given := self._given(span, output)) is not _NO_TEXT]
            for span in spans
        ]

    def _given(self, span: SpanTexts, output: str) -> Any:
        if not self._wanted:
            text = text_of(span, output)
            return _NO_TEXT if text is None else self._function(text)
        texts = {name: text_of(span, name) for name in self._wanted}
        if any(texts[name] is None for name, needed in self._wanted.items() if needed):
            return _NO_TEXT
        return self._function(**{name: text for name, text in texts.items() if text is not None})


_NO_TEXT = object()


def _texts_wanted(function: Callable[..., Any]) -> dict[str, bool]:
    """Texts that the parameters are called after, and whether each is needed; empty when there is any other parameter."""
    parameters = inspect.signature(function).parameters
    if not parameters or any(name not in TEXTS for name in parameters):
        return {}
    return {name: one.default is inspect.Parameter.empty for name, one in parameters.items()}


def load(path: str, key: str) -> Callable[..., Any]:
    """The function at `module:name` or `file.py:name`. Raises ConfigError that says what is wrong with it."""
    place, separator, name = path.rpartition(":")
    if not separator or not place or not name:
        raise ConfigError([f"{key}: expected package.module:function or path/to/file.py:function, got {path!r}"])
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:
        raise ConfigError([f"{key}: {place} cannot be imported: {type(error).__name__}: {error}"]) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError([f"{key}: {place} has no function {name!r}"])
    return function  # type: ignore[no-any-return]


def _from_file(file: Path) -> Any:
    path = file.expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"leewatch_scorer_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _source(function: Callable[..., Any]) -> str:
    """Text of the file that the function is in, so that an edit changes the version."""
    try:
        return Path(inspect.getfile(function)).read_text(encoding="utf-8")
    except (OSError, TypeError, UnicodeDecodeError):
        return ""


def create(name: str, values: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    """The scorer. Options: `function`, `fields`, `version`. Raises ConfigError."""
    options = options_of(FunctionOptions, name, values)
    function = load(options.function, f"analyzers.scorers.{name}.function")
    return FunctionScorer(name, function, options.fields, version_of(options, _source(function)))
