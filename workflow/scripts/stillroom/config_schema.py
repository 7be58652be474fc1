"""The config against its schema: one sentence for what is wrong, defaults for what is left out."""

import math
import re
from collections.abc import Iterator
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match, by_relevance
from jsonschema.validators import extend

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KINDS = {
    "object": "a block of keys",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


class ConfigError(ValueError):
    """A mistake in the config: one sentence that starts with the path of the key."""


def config_error(path: tuple, message: str) -> ConfigError:
    """The error of one key: `rankers.tas_b.loss: <message>`."""
    return ConfigError(f"{'.'.join(str(key) for key in path) or 'config'}: {message}")


@cache
def read_schema(path: str | Path) -> dict:
    """The schema with every `$ref` replaced by what it stands for."""
    schema = yaml.load(Path(path).read_text(encoding="utf-8"), LOADER)
    return inlined(schema, schema["$defs"])


def inlined(schema, definitions: dict):
    """The schema without `$ref`: keys beside one win over what it stands for, `properties` are merged."""
    if isinstance(schema, list):
        return [inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return deepcopy(schema)
    own = {key: inlined(part, definitions) for key, part in schema.items() if key not in ("$ref", "$defs")}
    if "$ref" not in schema:
        return own
    base = inlined(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "properties" in own:
        own["properties"] = {**base["properties"], **own["properties"]}
    return {**base, **own}


def is_integer(_, value) -> bool:
    """JSON schema takes 30.0 for an integer, but `range` does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(_, value) -> bool:
    """Finite numbers only: YAML knows .nan and .inf."""
    return is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": is_integer, "number": is_number}),
)


def check_against_schema(config: dict, schema: dict) -> None:
    """Raise the most telling of the config's errors."""
    # An unknown key before a missing one: it is the same key, misspelt.
    relevance = by_relevance(weak=frozenset({"oneOf", "required"}))
    error = best_match(Validator(schema).iter_errors(config), key=relevance)
    if error is None:
        return
    while error.parent is not None:  # a branch of oneOf says less than the whole
        error = error.parent
    raise sentence(error)


def sentence(error: ValidationError) -> ConfigError:
    """What jsonschema found, as one sentence with the path of the key."""
    path, found, expected = tuple(error.absolute_path), error.instance, error.validator_value
    if "propertyNames" in error.absolute_schema_path:
        return config_error((*path, found), f"{NAME_RULE}; found {shown(found)}.")
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties":
            return unknown_key(path, found, error.schema["properties"])
        case "required":
            missing = next(key for key in expected if key not in found)
            return config_error((*path, missing), f"missing; the block needs {', '.join(expected)}.")
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            wanted = " or ".join(KINDS[kind] for kind in kinds)
            return config_error(path, f"found {shown(found)}, expected {wanted}{number_hint(found, kinds)}.")
        case "enum":
            return config_error(path, f"{found!r} is not one of {', '.join(expected)}.")
        case "oneOf":
            branches = ", or ".join(" and ".join(branch["required"]) for branch in expected)
            return config_error(path, f"found {', '.join(found)}; expected either {branches}.")
    wanted = EXPECTATIONS.get(error.validator)
    if wanted is None:
        return config_error(path, f"{error.message}.")
    return config_error(path, f"found {shown(found)}, expected {wanted.format(expected)}.")


NAME_RULE = "a name has two or more lower-case letters, digits or _, and starts with a letter"
EXPECTATIONS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entry",
    "minProperties": "at least {} block",
    "minLength": "some text",
    "uniqueItems": "every entry only once",
    "pattern": f"a name ({NAME_RULE.removeprefix('a name has ')})",
}


def unknown_key(path: tuple, block: dict, legal: dict) -> ConfigError:
    """The first key of a block that means nothing, the nearest that does, and all that do."""
    unknown = next(key for key in block if key not in legal)
    near = get_close_matches(str(unknown), legal, n=1)
    hint = f", perhaps {near[0]} is meant" if near else ""
    return config_error((*path, unknown), f"unknown key{hint}; the legal keys are {', '.join(sorted(legal))}.")


def shown(value) -> str:
    """A found value in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a block of keys" if value else "an empty block"
        case list():
            return f"[{', '.join(str(part) for part in value)}]"
    return repr(value)


def number_hint(found, kinds: list[str]) -> str:
    """How to write a number that came as text (all in `--config` do), or an integer that came as 30.0."""
    try:
        number = float(found)
    except (TypeError, ValueError):
        return ""
    if isinstance(found, bool) or not math.isfinite(number):
        return ""
    as_text = "YAML reads it as text, " if isinstance(found, str) else ""
    if "integer" in kinds:
        return f"; {as_text}write {int(number)}" if number.is_integer() else ""
    if "number" in kinds:
        return f"; {as_text}write {yaml_number(found)}"
    return f"; write '{found}' in quotes" if "string" in kinds else ""


def yaml_number(text: str) -> str:
    """`7e-6` as YAML needs it, with a point and a signed exponent: `7.0e-6`."""
    mantissa, *exponent = re.split("[eE]", text.strip())
    if not exponent:
        return f"{mantissa} without quotes"
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent[0][0] in "+-" else "+"
    return f"{mantissa}{point}e{sign}{exponent[0]}"


def parts(value, schema: dict, path: tuple = ()) -> Iterator[tuple[tuple, object, dict]]:
    """(key path, value, its schema) of a block and of all in it.

    The block comes before its parts, so that a caller can complete it first.
    """
    yield path, value, schema
    if isinstance(value, dict):
        for key, part in value.items():
            part_schema = schema["properties"][key] if "properties" in schema else schema["additionalProperties"]
            yield from parts(part, part_schema, (*path, key))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from parts(part, schema["items"], (*path, place))


def completed(config: dict, schema: dict) -> dict:
    """A copy with the schema's defaults; numbers are floats, so that 0 and 0.0 are the same setting."""
    config = deepcopy(config)
    for _, block, block_schema in parts(config, schema):
        if isinstance(block, dict):
            for key, key_schema in block_schema.get("properties", {}).items():
                complete_key(block, key, key_schema)
    return config


def complete_key(block: dict, key: str, schema: dict) -> None:
    """Add a key that is left out and has a default."""
    if "default" in schema:
        block.setdefault(key, deepcopy(schema["default"]))
    if schema.get("type") in ("number", ["number", "null"]) and isinstance(block.get(key), int):
        block[key] = float(block[key])
