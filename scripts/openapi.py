#!/usr/bin/env python3
"""Joins src/api/openapi/*.yaml to one OpenAPI 3.1 document.

    scripts/openapi.py VERSION OUT.json OUT.d

main.yaml has what stands once; each other file is a resource: its tag, paths and schemas.
They are OpenAPI, but for what would be written a hundred times:

    roles: [admin, read]      which keys may; the document's x-roles, its security, and the
                              answers that every such request can have
    access: public | local    for a request without a key, instead of roles
    parameters: [limit]       a name is one of components.parameters
    body: {schema, example}   one JSON body; also `examples`, `optional`, `types`, `description`
    answers: {200: {...}}     likewise, also `headers`: names of components.headers
    errors: {409: when}       what else can go wrong, and when
    a schema that is a text   `Name` is a reference, `Name?` the same or null, `Name*` a list
    optional: [member]        of an object: all others are required
    extends: Name             of an object: begins with the members of that one
    page: Name                a list with its cursor; `history: true` also says how far it looked
"""

import copy
import json
import pathlib
import sys

try:
    import yaml
except ImportError:
    sys.exit("the API's document needs PyYAML for this python3: on Debian the package python3-yaml")

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "src/api/openapi"
METHODS = ("get", "post", "put", "patch", "delete")
ALL_ROLES = {"admin", "manage", "ingest", "read"}


# ---- reading ----


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as JSON has it: no dates, no yes and no, no member twice."""

    yaml_implicit_resolvers = {
        first: [
            row
            for row in rows
            if not row[0].endswith(":timestamp") and (first in "tf" or not row[0].endswith(":bool"))
        ]
        for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, value in node.value:
            if key.tag.endswith(":merge"):
                continue
            name = self.construct_object(key, deep=True)
            if name in seen:
                self.fail(key, f"{name} stands twice")
            if value.tag.endswith(":null") and not value.value:
                self.fail(key, f"{name!r} has no value: a text with a comma needs quotes")
            seen.add(name)
        return super().construct_mapping(node, deep)

    @staticmethod
    def fail(node, why):
        raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)


def load(name):
    path = SOURCES / f"{name}.yaml"
    with open(path, encoding="utf-8") as file:
        try:
            return yaml.load(file, Loader)
        except yaml.YAMLError as error:
            sys.exit(f"{path}: {error}")


# ---- schemas ----


def reference(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def short_schema(text):
    if text.endswith("*"):
        return {"type": "array", "items": short_schema(text[:-1])}
    if text.endswith("?"):
        return {"anyOf": [short_schema(text[:-1]), {"type": "null"}]}
    return reference("schemas", text)


def page_schema(short):
    members = {
        "data": {"type": "array", "items": short["page"]},
        "nextCursor": {
            "type": ["string", "null"],
            "description": "`cursor` for the next page; null when this was the last one.",
        },
    }
    if short.get("history"):
        members["searchedTo"] = {
            "$ref": "Time?",
            "description": "Down to which time this page has looked; null when it looked to the end.",
        }
    return {
        "type": "object",
        "description": short.get("description", ""),
        "optional": [],
        "properties": members,
    }


def object_schema(short, named):
    """The members of what it extends first; `optional` becomes `required`."""
    whole = dict(short)
    if "extends" in whole:
        base = object_schema(named[whole.pop("extends")], named)
        free = set(base["properties"]) - set(base.get("required", []))
        whole["properties"] = {**base["properties"], **whole.get("properties", {})}
        whole["type"] = "object"
        if "required" not in whole:
            whole["optional"] = [*free, *whole.get("optional", [])]
    if "optional" in whole:
        optional = whole.pop("optional")
        whole["required"] = [name for name in whole["properties"] if name not in optional]
    return whole


def schema(short, named):
    if isinstance(short, str):
        return short_schema(short)
    if "page" in short:
        short = page_schema(short)
    if "$ref" in short and not short["$ref"].startswith("#"):
        return {**short_schema(short["$ref"]), **{k: v for k, v in short.items() if k != "$ref"}}
    if "properties" in short or "extends" in short:
        short = object_schema(short, named)
    whole = {}
    for key, value in short.items():
        if key in ("properties", "patternProperties"):
            whole[key] = {name: schema(each, named) for name, each in value.items()}
        elif key in ("items", "additionalProperties", "not") and not isinstance(value, bool):
            whole[key] = schema(value, named)
        elif key in ("oneOf", "anyOf", "allOf"):
            whole[key] = [schema(each, named) for each in value]
        else:
            whole[key] = value
    return whole


# ---- bodies and answers ----


def content(short, named):
    """What a body or an answer holds, once for each of its types."""
    media = {}
    if "schema" in short:
        media["schema"] = schema(short["schema"], named)
    if "example" in short:
        media["example"] = short["example"]
    if "examples" in short:
        media["examples"] = {
            name: value if "value" in value or "externalValue" in value else {"value": value}
            for name, value in short["examples"].items()
        }
    own = short.get("types", "application/json")
    if isinstance(own, str):
        return {own: media}
    return {kind: content({**short, **each, "types": kind}, named)[kind] for kind, each in own.items()}


def answer(short, named):
    whole = {"description": short["description"]}
    if "headers" in short:
        whole["headers"] = {name: reference("headers", name) for name in short["headers"]}
    if "schema" in short or "types" in short:
        whole["content"] = content(short, named)
    return whole


def problem(description, headers, platform):
    form = "Error" if platform else "Problem"
    kind = "application/json" if platform else "application/problem+json"
    return answer({"description": description, "headers": headers, "schema": form, "types": kind}, {})


def usual_errors(path, operation, access):
    """The statuses that every request of its kind can have."""
    statuses = {400, 413, 429, 500, 503}
    if access == "local":
        statuses = {400, 403, 413, 421, 503}
    if access == "key":
        statuses.add(401)
        if set(operation["roles"]) != ALL_ROLES:
            statuses.add(403)
    if "{" in path:
        statuses.add(404)
    if "body" in operation:
        statuses.add(415)
    return statuses


def responses(path, operation, access, tag, main, named):
    platform = tag.get("platform", False)
    statuses = operation.get("answers", {})
    whole = {str(status): answer(short, named) for status, short in statuses.items()}
    extra = operation.get("errors", {})
    for status in sorted((usual_errors(path, operation, access) | set(extra)) - set(statuses)):
        usual = main["errors"][status]
        if status in extra:
            whole[str(status)] = problem(extra[status], usual.get("headers", []), platform)
        else:
            whole[str(status)] = reference("responses", ("Platform" if platform else "") + usual["name"])
    return whole


# ---- operations ----


def full_operation(path, operation, tag, main, named):
    access = operation.get("access", "key")
    whole = {
        "operationId": operation["operationId"],
        "tags": [tag["name"]],
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "x-access": access,
        "x-roles": operation.get("roles", []) if access == "key" else [],
    }
    if access != "key":
        whole["security"] = []
    parameters = operation.get("parameters", [])
    if parameters:
        whole["parameters"] = [
            reference("parameters", each) if isinstance(each, str) else {**each, "schema": schema(each["schema"], named)}
            for each in parameters
        ]
    if "body" in operation:
        body = operation["body"]
        whole["requestBody"] = {
            "description": body.get("description", ""),
            "required": not body.get("optional", False),
            "content": content(body, named),
        }
    whole["responses"] = responses(path, operation, access, tag, main, named)
    return whole


def sent(operation, named):
    """What the server sends to others: `headers` by their names, a body, and what may come back."""
    return {
        "operationId": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, **each, "schema": schema(each["schema"], named)}
            for name, each in operation["headers"].items()
        ],
        "requestBody": {"required": True, "content": content(operation["body"], named)},
        "responses": {str(status): answer(short, named) for status, short in operation["answers"].items()},
    }


def path_parameters(path, tag, main):
    """{c} is the channel everywhere; the others are named in their resource's file."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    known = {**main["pathParameters"], **tag.get("pathParameters", {})}
    return [{"name": name, "in": "path", "required": True, **known[name]} for name in names]


def add_part(document, part, main, named):
    tag = part["tag"]
    document["tags"].append({"name": tag["name"], "description": tag["description"]})
    for path, operations in part["paths"].items():
        if path in document["paths"]:
            sys.exit(f"{path} stands in two files")
        document["paths"][path] = {}
        parameters = path_parameters(path, tag, main)
        if parameters:
            document["paths"][path]["parameters"] = [
                {**each, "schema": schema(each["schema"], named)} for each in parameters
            ]
        for method in METHODS:
            if method in operations:
                document["paths"][path][method] = full_operation(path, operations[method], tag, main, named)


# ---- the whole ----


def check_references(document):
    def walk(node, where):
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str):
                found = document
                for name in target[2:].split("/"):
                    if name not in found:
                        sys.exit(f"{where}: there is no {target}")
                    found = found[name]
            for name, value in node.items():
                walk(value, f"{where}/{name}")
        elif isinstance(node, list):
            for i, value in enumerate(node):
                walk(value, f"{where}/{i}")

    walk(document, "")


def join(version):
    main = load("main")
    parts = [load(name) for name in main["parts"]]
    strays = {path.stem for path in SOURCES.glob("*.yaml")} - {"main", *main["parts"]}
    if strays:
        sys.exit(f"main.yaml does not name these parts: {', '.join(sorted(strays))}")
    named = dict(main["schemas"])
    for part in parts:
        twice = named.keys() & part.get("schemas", {}).keys()
        if twice:
            sys.exit(f"schemas that stand twice: {', '.join(sorted(twice))}")
        named.update(part.get("schemas", {}))
    document = {
        "openapi": "3.1.0",
        "info": {**main["info"], "version": version},
        "servers": main["servers"],
        "security": main["security"],
        "tags": [],
        "paths": {},
        "components": {
            "securitySchemes": main["securitySchemes"],
            "parameters": {
                name: {**each, "schema": schema(each["schema"], named)}
                for name, each in main["parameters"].items()
            },
            "headers": {
                name: {**each, "schema": schema(each["schema"], named)}
                for name, each in main["headers"].items()
            },
            "responses": {
                prefix + each["name"]: problem(each["description"], each.get("headers", []), prefix != "")
                for prefix in ("", "Platform")
                for each in main["errors"].values()
            },
            "schemas": {name: schema(copy.deepcopy(short), named) for name, short in named.items()},
        },
    }
    for part in parts:
        add_part(document, part, main, named)
    document["webhooks"] = {name: {"post": sent(each, named)} for name, each in main["webhooks"].items()}
    check_references(document)
    return document


def sources():
    return [pathlib.Path(__file__).resolve(), *sorted(SOURCES.glob("*.yaml"))]


def write_dependencies(path, out, files):
    names = " ".join(str(each).replace(" ", "\\ ") for each in files)
    pathlib.Path(path).write_text(f"{out}: {names}\n")


def main():
    version, out, dependencies = sys.argv[1:]
    text = json.dumps(join(version), ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(out).write_text(text + "\n", encoding="utf-8")
    write_dependencies(dependencies, out, sources())


if __name__ == "__main__":
    main()
