#!/usr/bin/env python3
"""The API's document and its reference for people, as a C file.

    scripts/reference.py OPENAPI.json OUT.c OUT.d

A page for each resource, in plain HTML that needs no script. It shares the dashboard's colours.
"""

import html
import json
import pathlib
import re
import sys

import embed
import openapi

ROOT = pathlib.Path(__file__).resolve().parent.parent
PALETTE = ROOT / "dashboard/src/style/palette.css"
STYLE = ROOT / "src/api/openapi/reference.css"
DEPTH = 4  # of members of members
SENT = "What receivers get"


def escape(text):
    return html.escape(str(text), quote=True)


# ---- text ----


def inline(text):
    """`code`, **strong** and [links](to)."""
    shown = escape(text)
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", shown)
    shown = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", shown)
    return re.sub(r"\[([^\]]+)\]\((https?://[^)]+)\)", r'<a href="\2">\1</a>', shown)


def paragraphs(text):
    return "".join(f"<p>{inline(part.strip())}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())


def slug(name):
    return name.lower().replace(" ", "-")


def code(text, label):
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'


# ---- schemas ----


class Document:
    def __init__(self, whole):
        self.whole = whole

    def resolve(self, node):
        """What a reference means; what stands beside it goes before that."""
        while "$ref" in node:
            target = self.whole
            for name in node["$ref"][2:].split("/"):
                target = target[name]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return node

    def unwrap(self, node):
        """The schema itself and whether it may be null instead."""
        node = self.resolve(node)
        if "anyOf" in node:
            others = [each for each in node["anyOf"] if each != {"type": "null"}]
            if len(others) == 1:
                beside = {key: value for key, value in node.items() if key != "anyOf"}
                return {**self.resolve(others[0]), **beside}, len(others) < len(node["anyOf"])
        kind = node.get("type")
        if isinstance(kind, list) and "null" in kind:
            rest = [each for each in kind if each != "null"]
            return {**node, "type": rest[0] if len(rest) == 1 else rest}, True
        return node, False

    def kind(self, node):
        node, nullable = self.unwrap(node)
        if "const" in node:
            text = json.dumps(node["const"])
        elif "oneOf" in node or "anyOf" in node:
            text = " or ".join(self.kind(each) for each in node.get("oneOf", node.get("anyOf")))
        elif node.get("type") == "array":
            text = f"array of {self.kind(node['items'])}" if "items" in node else "array"
        elif isinstance(node.get("type"), list):
            text = " or ".join(node["type"])
        else:
            text = node.get("format") or node.get("type") or ("string" if "enum" in node else "any")
        return text + (" or null" if nullable else "")

    def limits(self, node):
        node, _ = self.unwrap(node)
        said = []
        if "enum" in node:
            said.append("one of " + ", ".join(f"<code>{escape(each)}</code>" for each in node["enum"]))
        items = self.unwrap(node["items"])[0] if "items" in node else {}
        if "enum" in items:
            said.append("each one of " + ", ".join(f"<code>{escape(each)}</code>" for each in items["enum"]))
        for least, most, what in (
            ("minimum", "maximum", ""),
            ("minLength", "maxLength", " characters"),
            ("minItems", "maxItems", " elements"),
            ("minProperties", "maxProperties", " members"),
        ):
            if most in node:
                said.append(f"{node[least]:,} to {node[most]:,}{what}" if least in node else f"at most {node[most]:,}{what}")
            elif least in node:
                said.append(f"at least {node[least]:,}{what if node[least] != 1 else what.rstrip('s')}")
        if "pattern" in node and "format" not in node:
            said.append(f"<code>{escape(node['pattern'])}</code>")
        if "default" in node:
            said.append(f"default <code>{escape(json.dumps(node['default']))}</code>")
        return "; ".join(said)

    def meaning(self, about, node):
        """What it is, then its limits, as sentences."""
        limits = self.limits(node)
        if not limits.startswith("<"):
            limits = limits[:1].upper() + limits[1:]
        return " ".join(f"{part.rstrip('.')}." for part in (inline(about), limits) if part)

    def rows(self, node, prefix="", depth=0):
        """Path, schema and whether it is needed, of each member and theirs."""
        node, _ = self.unwrap(node)
        if node.get("type") == "array" and "items" in node:
            yield from self.rows(node["items"], prefix + "[]", depth)
            return
        for each in node.get("oneOf", []):
            yield from self.rows(each, prefix, depth)
            return
        if depth == DEPTH:
            return
        for name, member in node.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            yield path, member, name in node.get("required", [])
            yield from self.rows(member, path, depth + 1)
        free = node.get("additionalProperties")
        if isinstance(free, dict):
            yield f"{prefix}.*" if prefix else "*", free, False

    def table(self, node, optional_said):
        """`optional_said`: whether members may be left out, rather than needed, is what is told."""
        rows = []
        for path, member, needed in self.rows(node):
            flag = ""
            if optional_said and not needed:
                flag = ' <span class="flag">not always</span>'
            elif not optional_said and needed:
                flag = ' <span class="flag needed">required</span>'
            shown, _ = self.unwrap(member)
            text = self.meaning(shown.get("description", ""), member)
            head, dot, last = path.rpartition(".")
            name = f'<span class="parents">{escape(head + dot)}</span>{escape(last)}'
            rows.append(
                f'<tr><th scope="row"><code>{name}</code>{flag}</th>'
                f"<td>{escape(self.kind(member))}</td><td>{text}</td></tr>"
            )
        if not rows:
            return ""
        return as_table(("Member", "Type", "Meaning"), rows)


def as_table(heads, rows):
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


# ---- one operation ----


def examples(media):
    if "example" in media:
        return [("", media["example"])]
    return [(each.get("summary", name), each["value"]) for name, each in media.get("examples", {}).items()]


def as_text(value):
    return value.rstrip("\n") if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def curl(document, method, path, operation, kind="", body=None):
    for each in operation["all"]:
        if each["in"] == "path":
            path = path.replace("{%s}" % each["name"], str(each["example"]))
    query = "&".join(
        f"{each['name']}={json.dumps(each['example']).strip(chr(34))}"
        for each in operation["all"]
        if each["in"] == "query" and "example" in each and not isinstance(each["example"], list)
    )
    parts = [f'"$PUSHWIRE_URL{path}{"?" + query if query else ""}"']
    if operation["x-access"] == "key":
        parts.append('-H "Authorization: Bearer $PUSHWIRE_KEY"')
    if body is not None:
        parts.append(f"-H {quoted(f'Content-Type: {kind}')}")
        flag = "--data-binary" if kind.endswith("ndjson") else "-d"
        parts.append(f"{flag} {quoted(as_text(body))}")
    verb = "" if method == "get" or (method == "post" and body is not None) else f"-X {method.upper()} "
    return f"curl {verb}" + " \\\n  ".join(parts)


def who(operation):
    if operation["x-access"] == "public":
        return "No key."
    if operation["x-access"] == "local":
        return "No key; for clients on the server's machine."
    roles = ", ".join(f'<span class="role">{role}</span>' for role in operation["x-roles"])
    return f"Keys with the role {roles}."


def parameters(document, operation):
    rows = []
    for each in operation["all"]:
        text = document.meaning(each.get("description", ""), each["schema"])
        flag = ' <span class="flag needed">required</span>' if each.get("required") and each["in"] != "path" else ""
        rows.append(
            f'<tr><th scope="row"><code>{escape(each["name"])}</code>{flag}</th><td>{each["in"]}</td>'
            f"<td>{escape(document.kind(each['schema']))}</td><td>{text}</td></tr>"
        )
    return "<h3>Parameters</h3>" + as_table(("Name", "In", "Type", "Meaning"), rows) if rows else ""


def request(document, method, path, operation):
    if "requestBody" not in operation:
        return f'<h3>Example</h3>{code(curl(document, method, path, operation), "Example")}'
    body = operation["requestBody"]
    need = "" if body["required"] else " It may be left out."
    said, shown = "", ""
    for kind, media in body["content"].items():
        schema = document.unwrap(media["schema"])[0]
        about = schema.get("description", "").strip()
        said += f"<p><code>{kind}</code>{'. ' + inline(about) if about else ''}{need}</p>"
        said += document.table(media["schema"], False)
        for name, value in examples(media):
            caption = f"<figcaption>{inline(name)}</figcaption>" if name else ""
            text = curl(document, method, path, operation, kind, value)
            shown += f"<figure>{caption}{code(text, name or 'Example')}</figure>"
    return f"<h3>Body</h3>{said}<h3>Example</h3>{shown}"


def answers(document, operation):
    good, bad = "", []
    for status, short in operation["responses"].items():
        response = document.resolve(short)
        if int(status) >= 400:
            names = ", ".join(f"<code>{name}</code>" for name in response.get("headers", {}))
            text = inline(response["description"]) + (f" With {names}." if names else "")
            bad.append(f'<tr><th scope="row"><code>{status}</code></th><td>{text}</td></tr>')
            continue
        good += f'<h4><code>{status}</code> {inline(response["description"])}</h4>'
        for name, header in response.get("headers", {}).items():
            about = document.resolve(header)["description"]
            good += f"<p>Header <code>{name}</code>: {inline(about)}</p>"
        for kind, media in list(response.get("content", {}).items())[:1]:
            table = document.table(media.get("schema", {}), True)
            if table:
                good += f"<details><summary>Members</summary>{table}</details>"
            for _, value in examples(media):
                good += code(as_text(value), f"Answer {status}")
    refused = f"<details><summary>Refusals</summary>{as_table(('Status', 'When'), bad)}</details>" if bad else ""
    return f"<h3>Answers</h3>{good}{refused}"


def section(document, method, path, operation):
    title = escape(operation["summary"])
    return (
        f'<section class="operation" id="{operation["operationId"]}" aria-labelledby="{operation["operationId"]}-title">'
        f'<h2 id="{operation["operationId"]}-title"><a href="#{operation["operationId"]}">{title}</a></h2>'
        f'<p class="route"><span class="method {method}">{method.upper()}</span> <code>{escape(path)}</code></p>'
        f'<p class="who">{who(operation)}</p>{paragraphs(operation["description"])}'
        f"{parameters(document, operation)}{request(document, method, path, operation)}"
        f"{answers(document, operation)}</section>"
    )


# ---- pages ----


def operations_of(document, tag):
    for path, item in document.whole["paths"].items():
        for method in openapi.METHODS:
            if method in item and tag in item[method]["tags"]:
                every = [*item.get("parameters", []), *item[method].get("parameters", [])]
                yield method, path, {**item[method], "all": [document.resolve(each) for each in every]}


def navigation(document, current):
    rows = []
    for tag in document.whole["tags"]:
        name = tag["name"]
        here = ' aria-current="page"' if name == current else ""
        inner = ""
        if name == current:
            inner = "".join(
                f'<li><a href="#{each["operationId"]}"><span class="method {method}">{method.upper()}</span> '
                f"{escape(each['summary'])}</a></li>"
                for method, _, each in operations_of(document, name)
            )
            inner = f"<ul>{inner}</ul>"
        rows.append(f'<li><a href="/docs/{slug(name)}"{here}>{escape(name)}</a>{inner}</li>')
    here = ' aria-current="page"' if current == SENT else ""
    rows.append(f'<li><a href="/docs/{slug(SENT)}"{here}>{SENT}</a></li>')
    here = ' aria-current="page"' if current is None else ""
    return f'<nav aria-label="Resources"><ul><li><a href="/docs"{here}>Overview</a></li>{"".join(rows)}</ul></nav>'


def page(document, current, title, body):
    version = escape(document.whole["info"]["version"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · Pushwire API</title>"
        '<link rel="stylesheet" href="/docs/style.css"></head><body>'
        '<a class="skip" href="#main">To the text</a>'
        '<div class="frame"><header class="side"><a class="brand" href="/docs">Pushwire API</a>'
        f'<p class="version">{version} · <a href="/openapi.json">OpenAPI</a> · <a href="/">Dashboard</a></p>'
        f'{navigation(document, current)}</header><main id="main"><h1>{escape(title)}</h1>{body}</main></div></body></html>\n'
    ).encode()


def overview(document):
    body = paragraphs(document.whole["info"]["description"])
    for tag in document.whole["tags"]:
        place = f"/docs/{slug(tag['name'])}"
        rows = [
            f'<tr><td><span class="method {method}">{method.upper()}</span></td><th scope="row"><code>{escape(path)}</code></th>'
            f'<td><a href="{place}#{each["operationId"]}">{escape(each["summary"])}</a></td></tr>'
            for method, path, each in operations_of(document, tag["name"])
        ]
        table = as_table(("Method", "Path", "Does"), rows)
        body += f'<h2><a href="{place}">{escape(tag["name"])}</a></h2>{table}'
    return page(document, None, "Overview", body)


def sent(document):
    """What the server sends to others."""
    sections = ""
    for item in document.whole["webhooks"].values():
        each = item["post"]
        rows = [
            f'<tr><th scope="row"><code>{escape(header["name"])}</code></th>'
            f'<td>{inline(header["description"])}</td><td><code>{escape(header["example"])}</code></td></tr>'
            for header in each["parameters"]
        ]
        said = [
            f'<tr><th scope="row"><code>{status}</code></th><td>{inline(response["description"])}</td></tr>'
            for status, response in each["responses"].items()
        ]
        media = each["requestBody"]["content"]["application/json"]
        sections += (
            f'<section class="operation" id="{each["operationId"]}"><h2>{escape(each["summary"])}</h2>'
            f"{paragraphs(each['description'])}<h3>Headers</h3>{as_table(('Name', 'Meaning', 'Example'), rows)}"
            f"<h3>Body</h3>{document.table(media['schema'], True)}{code(as_text(media['example']), 'Body')}"
            f"<h3>What an answer does</h3>{as_table(('Status', 'Then'), said)}</section>"
        )
    return page(document, SENT, SENT, sections)


def resource(document, tag):
    sections = "".join(section(document, *each) for each in operations_of(document, tag["name"]))
    return page(document, tag["name"], tag["name"], paragraphs(tag["description"]) + sections)


def style():
    """The dashboard's colours, chosen by the browser alone."""
    light, dark = PALETTE.read_text(encoding="utf-8").split(":root[data-theme='dark'] {")
    return f"{light}@media (prefers-color-scheme: dark) {{\n:root {{{dark}}}\n{STYLE.read_text(encoding='utf-8')}".encode()


def files_of(text):
    document = Document(json.loads(text))
    yield "/openapi.json", "application/json", False, text.encode()
    yield "/docs", embed.TYPES[".html"], False, overview(document)
    yield "/docs/style.css", embed.TYPES[".css"], False, style()
    yield f"/docs/{slug(SENT)}", embed.TYPES[".html"], False, sent(document)
    for tag in document.whole["tags"]:
        yield f"/docs/{slug(tag['name'])}", embed.TYPES[".html"], False, resource(document, tag)


def main():
    source, out, dependencies = sys.argv[1:]
    text = pathlib.Path(source).read_text(encoding="utf-8")
    pathlib.Path(out).write_text(embed.as_c("scripts/reference.py", "reference", files_of(text)))
    scripts = [pathlib.Path(each.__file__).resolve() for each in (sys.modules[__name__], embed, openapi)]
    openapi.write_dependencies(dependencies, out, [*scripts, PALETTE, STYLE])


if __name__ == "__main__":
    main()
