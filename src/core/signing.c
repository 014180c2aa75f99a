#include "core/signing.h"

#include <stdlib.h>

#include "base/mem.h"

struct signing {
    size_t n;
    struct {
        struct signer *signer;
        msec_t until_ms;
    } with[WEBHOOK_SECRETS_MAX];
};

struct signing *
signing_new(const struct webhook *webhook)
{
    struct signing *signing = xcalloc(1, sizeof(*signing));

    for (size_t i = 0; i < webhook->n_secrets; i++) {
        const struct webhook_secret *secret = &webhook->secrets[i];
        struct signer *signer = signer_new(slice_of(secret->text));
        if (!signer)
            break;
        signing->with[i].signer = signer;
        signing->with[i].until_ms = secret->until_ms;
        signing->n = i + 1;
    }
    if (signing->n > 0 && signing->n == webhook->n_secrets)
        return signing;
    signing_free(signing);
    return NULL;
}

void
signing_free(struct signing *signing)
{
    if (!signing)
        return;
    for (size_t i = 0; i < signing->n; i++)
        signer_free(signing->with[i].signer);
    free(signing);
}

void
signing_sign(const struct signing *signing, struct slice id, int64_t timestamp_s,
             struct slice body, msec_t now_ms, char out[SIGNATURES_TEXT])
{
    char *at = out;

    for (size_t i = 0; i < signing->n; i++) {
        if (now_ms >= signing->with[i].until_ms)
            continue;
        if (at > out)
            *at++ = ' ';
        signer_sign(signing->with[i].signer, id, timestamp_s, body, at);
        at += strlen(at);
    }
    *at = '\0';
}
