"""Files as C, for the server to hand out: src/api/dashboard.h has the form."""

import gzip
import hashlib

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def array(name, content):
    rows = (content[at : at + 24] for at in range(0, len(content), 24))
    body = ",\n".join(",".join(map(str, row)) for row in rows)
    return f"static const unsigned char {name}[] = {{\n{body}}};\n"


def as_c(maker, name, files):
    """`files`: the path, the Content-Type, whether it never changes, and the bytes. Each as it
    is and, where that is shorter, compressed."""
    text = f'/* Made by {maker}. */\n#include "api/dashboard.h"\n\n'
    rows = []
    for number, (path, kind, never_changes, content) in enumerate(files):
        packed = gzip.compress(content, 9, mtime=0)
        packed = packed if len(packed) < len(content) else b""
        text += array(f"plain_{number}", content)
        if packed:
            text += array(f"gzip_{number}", packed)
        rows.append(
            '    {"%s", "%s", "%s", %s, plain_%d, sizeof(plain_%d), %s, %d},\n'
            % (
                path,
                kind,
                hashlib.sha256(content).hexdigest()[:20],
                "true" if never_changes else "false",
                number,
                number,
                f"gzip_{number}" if packed else "NULL",
                len(packed),
            )
        )
    text += f"\nconst struct dashboard_file {name}_files[] = {{\n" + "".join(rows) + "};\n"
    return text + f"const size_t {name}_n_files = {len(rows)};\n"
