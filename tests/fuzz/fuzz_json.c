#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "fuzz.h"

static void
check_tokens(const struct json_doc *doc)
{
    assert(doc->n > 0);
    assert(doc->tokens[0].next == doc->n);
    for (size_t i = 0; i < doc->n; i++) {
        const struct json_token *token = &doc->tokens[i];
        assert(token->start < token->end);
        assert(token->end <= doc->text_len);
        assert(token->next > i && token->next <= doc->n);
    }
}

static void
check_strings(const struct json_doc *doc)
{
    struct buf value;
    buf_init(&value, doc->text_len + 1);
    for (size_t i = 0; i < doc->n; i++) {
        if (doc->tokens[i].type != JSON_STRING)
            continue;
        buf_reset(&value);
        int rc = json_string_add(doc, &doc->tokens[i], &value);
        assert(rc == 0); /* never longer than it was written */
        assert(value.n == 0 || utf8_valid(value.p, value.n));
    }
    buf_fini(&value);
}

/* The bytes of the root, without what stands around them, are the same document. */
static void
check_root_alone(const struct json_doc *doc)
{
    struct json_doc again;
    struct json_error error;
    struct slice root = json_raw(doc, &doc->tokens[0]);
    json_init(&again);
    int rc = json_parse(&again, root.p, root.n, &error);
    assert(rc == 0);
    assert(again.n == doc->n);
    json_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes;
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    if (json_parse(&doc, text, n, &error) == 0) {
        check_tokens(&doc);
        check_strings(&doc);
        check_root_alone(&doc);
        assert(utf8_valid(text, n));
    } else {
        assert(error.offset <= n);
        assert(error.reason);
    }
    json_fini(&doc);
    return 0;
}
