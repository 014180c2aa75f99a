/* The small readers: times, ids, keys, secrets, header fields, Retry-After, URLs. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "core/key.h"
#include "core/retry.h"
#include "core/signature.h"
#include "core/vault.h"
#include "core/webhook.h"
#include "fuzz.h"
#include "send/guard.h"
#include "send/url.h"

static void
check_times(struct slice text)
{
    msec_t ms, again;
    if (time_parse(text, &ms)) {
        char shown[TIME_TEXT];
        time_format(shown, ms);
        bool ok = time_parse(slice_of(shown), &again);
        assert(ok && again == ms);
    }
    msec_t wait = retry_after_parse(text, INT64_C(1709546000000));
    assert(wait >= 0 && wait <= RETRY_AFTER_MAX_MS);
}

static void
check_ids(struct slice text)
{
    char shown[ID_TEXT];
    uint64_t a, b;
    if (event_id_parse(text, &a)) {
        event_id_format(shown, a);
        assert(slice_is(text, shown));
    }
    if (webhook_id_parse(text, &a)) {
        webhook_id_format(shown, a);
        assert(slice_is(text, shown));
    }
    if (call_id_parse(text, &a, &b)) {
        call_id_format(shown, a, b);
        assert(slice_is(text, shown));
    }
    if (key_id_of(text, shown))
        assert(strlen(shown) < ID_TEXT);
}

static void
check_secret(struct slice text)
{
    struct err err;
    char kept[SECRET_TEXT], again[SECRET_TEXT], public[PUBLIC_KEY_TEXT];
    bool valid = secret_check(text, &err) == 0;
    struct signer *signer = signer_new(text);
    assert(valid == (signer != NULL));
    signer_free(signer);
    signer_free(signer_new_public(text));
    if (!valid)
        return;

    /* What is kept is kept, and tells of itself what the given one did. */
    bool ok = secret_read(text, kept, &err) == 0 &&
              secret_read(slice_of(kept), again, &err) == 0;
    assert(ok && strcmp(kept, again) == 0);
    assert(secret_kind(text) == secret_kind(slice_of(kept)));
    assert(secret_public(text, public) == (secret_kind(text) == SECRET_ED25519));
}

/* A key file, and what is sealed: nobody has the key of it, so nothing opens. */
static void
check_vault(struct slice text)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    struct vault vault, again;
    struct err err;
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    if (vault_read(&vault, text, &err) == 0) {
        bool ok = vault_write(&vault, &out) == 0 &&
                  vault_read(&again, buf_slice(&out), &err) == 0;
        assert(ok && memcmp(&vault, &again, sizeof(vault)) == 0);
    }
    buf_reset(&out);
    bool has_key = vault_read(&vault, SLICE(key), &err) == 0;
    assert(has_key && vault_open(&vault, SLICE("x"), text, &out) != 0 && out.n == 0);
    buf_fini(&out);
}

/* The first line is a header's name, the rest its value. */
static void
check_header(struct slice text)
{
    struct err err;
    const char *end = memchr(text.p, '\n', text.n);
    size_t n = end ? (size_t)(end - text.p) : text.n;
    struct slice value = {text.p + n, text.n - n};
    if (webhook_header_check((struct slice){text.p, n}, value, &err) == 0) {
        assert(n > 0 && !memchr(text.p, ':', n) && !memchr(text.p, '\r', n));
        assert(value.n == 0 || !memchr(value.p, '\n', value.n));
    }
}

/* What a stranger may have, whoever may have more may have too. */
static void
check_url(struct slice text)
{
    static struct guard strict, open = {.development = true};
    struct url first, again;
    struct err err;
    char *url = xstrndup(text.p, text.n);
    guard_init(&strict);
    if (url_read(&first, url, &strict, &err) == 0) {
        int rc = url_read(&again, first.text, &strict, &err);
        assert(rc == 0 && strcmp(first.text, again.text) == 0);
        rc = url_read(&again, url, &open, &err);
        assert(rc == 0);
    }
    free(url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice text = {n > 0 ? (const char *)bytes : "", n};
    check_times(text);
    check_ids(text);
    check_secret(text);
    check_vault(text);
    check_header(text);
    check_url(text);
    return 0;
}
