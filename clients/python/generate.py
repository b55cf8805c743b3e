"""Writes the generated part of the client, `types.py` and `operations.py`, from openapi.json.

    python3 clients/python/generate.py [FOLDER]

The same document makes the same bytes. Generators that exist make classes that need attrs or pydantic; this one makes
dictionaries with types, which need nothing and cost nothing.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGET = HERE / "src" / "wardroom_client"
HEADER = '"""Generated from openapi.json by generate.py: do not edit."""\n'
FUTURE = "\nfrom __future__ import annotations\n\n"
# What a line of an export is. The document knows only that it is text.
LINES = {"audit_export": "AuditItem"}


def class_name(name: str) -> str:
    return name.replace("_", "")


def literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def type_of(schema: dict[str, Any], prefix: str = "") -> str:
    """The Python type of a schema."""
    if "$ref" in schema:
        return prefix + class_name(schema["$ref"].rsplit("/", 1)[1])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            parts = [type_of(part, prefix) for part in schema[key]]
            kept = list(dict.fromkeys(part for part in parts if part != "None"))
            made = kept[0] if len(kept) == 1 else f"Union[{', '.join(kept)}]"
            return f"Optional[{made}]" if "None" in parts else made
    kinds = schema.get("type", "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    nullable = "null" in kinds
    kinds = [kind for kind in kinds if kind != "null"]
    if "enum" in schema:
        values = [literal(value) for value in schema["enum"] if value is not None]
        made = f"Literal[{', '.join(values)}]"
    elif not kinds:
        return "None"
    else:
        made = plain_type(kinds[0], schema, prefix)
    return f"Optional[{made}]" if nullable else made


def plain_type(kind: str, schema: dict[str, Any], prefix: str) -> str:
    if kind == "array":
        return f"list[{type_of(schema['items'], prefix)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {type_of(values, prefix) if values else 'Any'}]"
    if kind == "string" and schema.get("format") == "binary":
        return "bytes"
    return {"integer": "int", "number": "float", "string": "str", "boolean": "bool"}.get(kind, "Any")


def types(document: dict[str, Any]) -> str:
    """One dictionary with types for each schema."""
    parts = [HEADER, FUTURE, "from typing import Any, Literal, Optional, TypedDict, Union\n"]
    for name, schema in document["components"]["schemas"].items():
        made = class_name(name)
        if not schema.get("properties"):
            parts.append(f"\n{made} = {type_of(schema)}\n")
            continue
        required = schema.get("required", [])
        fields = schema["properties"]
        must = {field: fields[field] for field in fields if field in required}
        may = {field: fields[field] for field in fields if field not in required}
        base, doc = "TypedDict", summary(schema.get("description", ""))
        if must and may:
            parts.append(record(f"_{made}", base, "", must, ""))
            base, must = f"_{made}", {}
        total = ", total=False" if may else ""
        parts.append(record(made, base, total, must or may, doc))
    return without_unused("".join(parts))


def record(name: str, base: str, total: str, fields: dict[str, Any], doc: str) -> str:
    lines = [f"    {field}: {type_of(schema)}" for field, schema in fields.items()]
    doc_lines = [f'    """{doc}"""', ""] if doc else []
    return "\n\n" + "\n".join([f"class {name}({base}{total}):", *doc_lines, *lines]) + "\n"


def summary(text: str) -> str:
    """The first sentence of a description, on one line."""
    first = " ".join(text.split("\n\n")[0].split())
    first = first.split(". ")[0].rstrip(".")
    return (first + ".").replace("\\", "\\\\").replace('"', "'") if first else ""


def safe(name: str) -> str:
    made = name.replace("-", "_").lower()
    return made + "_" if keyword.iskeyword(made) else made


class Operation:
    """One operation of the document."""

    def __init__(self, method: str, path: str, described: dict[str, Any], shared: list[Any]) -> None:
        self.method, self.path, self.described = method.upper(), path, described
        self.name = described["operationId"]
        parameters = [*shared, *described.get("parameters", [])]
        self.in_path = [one for one in parameters if one["in"] == "path"]
        # The format is JSON, whatever a caller would like.
        self.in_query = [one for one in parameters if one["in"] == "query" and one["name"] != "format"]
        self.has_match = any(one["name"] == "If-Match" for one in parameters)
        body = described.get("requestBody", {})
        self.bodies = body.get("content", {})
        self.body_required = body.get("required", False)

    def success(self) -> tuple[str, dict[str, Any]]:
        """The media type and the schema of the response."""
        for code, response in self.described["responses"].items():
            if code.startswith("2") and response.get("content"):
                return next((kind, made.get("schema", {})) for kind, made in response["content"].items())
        return "", {}

    def query(self, without: tuple[str, ...] = ()) -> list[Any]:
        return [one for one in self.in_query if one["name"] not in without]

    def pager(self) -> str | None:
        names = [one["name"] for one in self.in_query]
        return next((name for name in ("cursor", "before") if name in names), None)

    def body(self) -> tuple[str, str]:
        """The argument for the body, and its type."""
        for kind, argument in (("application/json", "body"), ("application/x-www-form-urlencoded", "form")):
            if kind in self.bodies:
                return argument, type_of(self.bodies[kind]["schema"], "types.")
        return "", ""

    def signature(self, query: list[Any]) -> list[str]:
        made = ["self", *(f"{safe(one['name'])}: {type_of(one['schema'])}" for one in self.in_path)]
        argument, kind = self.body()
        if argument:
            made.append(f"{argument}: {kind}" if self.body_required else f"{argument}: Optional[{kind}] = None")
        named = []
        for one in query:
            kind, must = type_of(one["schema"]), one.get("required")
            kind = kind if must or kind.startswith("Optional[") else f"Optional[{kind}]"
            named.append(f"{safe(one['name'])}: {kind}" + ("" if must else " = None"))
        if "multipart/form-data" in self.bodies:
            named.append("avatar: Optional[File] = None")
        if self.has_match:
            named.append("if_match: Optional[str] = None")
        return [*made, "*", *named] if named else made

    def arguments(self, query: list[Any]) -> list[str]:
        path = "".join(
            "{segment(" + safe(part[1:-1]) + ")}" if part.startswith("{") else part
            for part in self.path.replace("{", "\0{").replace("}", "}\0").split("\0")
        )
        prefix = "f" if self.in_path else ""
        made = [f'"{self.method}"', f'{prefix}"{path}"']
        if query:
            pairs = "".join(f'                "{one["name"]}": {safe(one["name"])},\n' for one in query)
            made.append(f"query={{\n{pairs}            }}")
        argument, _ = self.body()
        if argument:
            made.append(f"{argument}={argument}")
        if "multipart/form-data" in self.bodies:
            made.append("avatar=avatar")
        if self.has_match:
            made.append("if_match=if_match")
        return made

    def method_text(self) -> str:
        kind, schema = self.success()
        query = self.query()
        if kind == "application/x-ndjson":
            line = f"types.{LINES[self.name]}"
            return function(self.name, self.signature(query), f"Stream[{line}]", self.doc(), self.arguments(query), "stream")
        if kind == "image/svg+xml":
            return function(self.name, self.signature(query), "Picture", self.doc(), self.arguments(query), "picture")
        answer = type_of(schema, "types.") if schema else "None"
        return function(self.name, self.signature(query), answer, self.doc(), self.arguments(query), "call")

    def iterator_text(self) -> str:
        """A method for all rows of all pages."""
        pager = self.pager()
        if pager is None:
            return ""
        query = self.query(("offset", pager))
        _, schema = self.success()
        row = row_of(schema)
        arguments = [f'"{pager}"', *self.arguments(query)[1:]]
        doc = f"{self.doc()[:-1]}: every row of every page."
        return function(self.name.replace("_list", "_iterate"), self.signature(query), f"Iterator[{row}]", doc, arguments, "pages")

    def doc(self) -> str:
        return summary(self.described.get("summary") or self.described.get("description", self.name))


def row_of(schema: dict[str, Any]) -> str:
    page = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return type_of(page["properties"]["results"]["items"], "types.")


def function(name: str, signature: list[str], answer: str, doc: str, arguments: list[str], through: str) -> str:
    lines = ["", f"    def {name}(", *(f"        {one}," for one in signature), f"    ) -> {answer}:"]
    lines += [f'        """{doc}"""']
    call = f"self._{through}(\n" + "".join(f"            {one},\n" for one in arguments) + "        )"
    if answer == "None":
        lines.append(f"        {call}")
    else:
        lines += [f"        made: {answer} = {call}", "        return made"]
    return "\n".join(lines) + "\n"


SHARED = '''from typing import Any, Iterator, Literal, Optional

from . import types
from .surface import File, Picture, Stream, Surface, segment


class Operations(Surface):
    """Every operation of the API, as a method with its name in openapi.json."""
'''


def without_unused(text: str) -> str:
    """The text without names that it imports from typing and does not use."""
    line = next(line for line in text.splitlines() if line.startswith("from typing import "))
    names = line.removeprefix("from typing import ").split(", ")
    used = [name for name in names if re.search(rf"\b{name}\b", text.replace(line, ""))]
    return text.replace(line, f"from typing import {', '.join(used)}")


def operations(document: dict[str, Any]) -> str:
    parts = [HEADER, FUTURE, SHARED]
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if method == "parameters" or "operationId" not in described:
                continue
            one = Operation(method, path, described, methods.get("parameters", []))
            parts += [one.method_text(), one.iterator_text()]
    text = "".join(parts)
    return without_unused(text)


DOCUMENT: dict[str, Any] = json.loads((HERE.parent.parent / "openapi.json").read_text("utf-8"))


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    (target / "types.py").write_text(types(DOCUMENT), "utf-8")
    (target / "operations.py").write_text(operations(DOCUMENT), "utf-8")


if __name__ == "__main__":
    main()
