/* A webhook's secrets over time, and what signs with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/signing.h"

#define A   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define B   "whsec_NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define C   "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NOW INT64_C(1000000)

static int
rotate(struct webhook *webhook, const char *secret, msec_t now_ms, msec_t overlap_ms)
{
    struct err err;
    return webhook_rotate_secret(webhook, slice_of(secret), now_ms, overlap_ms, &err);
}

/* What is signed with at a time: the secrets' letters, newest first. */
static void
signed_with(const struct webhook *webhook, msec_t now_ms, const char *letters)
{
    static const char *const secrets[] = {A, B, C};
    struct signing *signing = signing_new(webhook);
    char all[SIGNATURES_TEXT], expected[SIGNATURES_TEXT] = "";
    size_t n = 0;

    assert_non_null(signing);
    signing_sign(signing, SLICE("evt_1"), 5, SLICE("{}"), now_ms, all);
    for (const char *at = letters; *at; at++) {
        struct signer *signer = signer_new(slice_of(secrets[*at - 'A']));
        if (n)
            expected[n++] = ' ';
        signer_sign(signer, SLICE("evt_1"), 5, SLICE("{}"), expected + n);
        n += strlen(expected + n);
        signer_free(signer);
    }
    assert_string_equal(all, expected);
    signing_free(signing);
}

static void
rotated_three_times_all_sign_newest_first_until_their_time_is_over(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    webhook_set_secret(webhook, SLICE(A));
    signed_with(webhook, NOW, "A");
    assert_int_equal(rotate(webhook, B, NOW, 100), 0);
    assert_int_equal(rotate(webhook, C, NOW + 10, 100), 0);
    signed_with(webhook, NOW + 10, "CBA");
    signed_with(webhook, NOW + 99, "CBA");
    signed_with(webhook, NOW + 100, "CB");
    signed_with(webhook, NOW + 109, "CB");
    signed_with(webhook, NOW + 110, "C");
    signed_with(webhook, MSEC_NEVER - 1, "C");
    webhook_unref(webhook);
}

static void
without_overlap_the_old_ones_are_gone(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    webhook_set_secret(webhook, SLICE(A));
    assert_int_equal(rotate(webhook, B, NOW, 100), 0);
    assert_int_equal(rotate(webhook, C, NOW, 0), 0);
    assert_int_equal(webhook->n_secrets, 1);
    signed_with(webhook, NOW, "C");
    webhook_unref(webhook);
}

static void
a_shorter_overlap_ends_the_older_ones_too_and_a_longer_one_keeps_none_alive(
    void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    webhook_set_secret(webhook, SLICE(A));
    assert_int_equal(rotate(webhook, B, NOW, 1000), 0);
    assert_int_equal(rotate(webhook, C, NOW, 100), 0);
    signed_with(webhook, NOW + 99, "CBA");
    signed_with(webhook, NOW + 100, "C");
    assert_int_equal(rotate(webhook, A, NOW + 50, 100), 0);
    signed_with(webhook, NOW + 99, "ACB");
    signed_with(webhook, NOW + 100, "AC");
    webhook_unref(webhook);
}

static void
setting_a_secret_ends_all_others(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    webhook_set_secret(webhook, SLICE(A));
    assert_int_equal(rotate(webhook, B, NOW, 100), 0);
    webhook_set_secret(webhook, slice_of(webhook->secrets[1].text));
    signed_with(webhook, NOW, "A");
    webhook_unref(webhook);
}

static void
there_are_ten_secrets_at_most_and_ended_ones_make_room(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    char secret[SECRET_TEXT];
    struct err err = {0};
    webhook_set_secret(webhook, SLICE(A));
    for (int i = 1; i < WEBHOOK_SECRETS_MAX; i++) {
        secret_make(secret, SECRET_ED25519, &rng_system);
        assert_int_equal(rotate(webhook, secret, NOW + i, 100), 0);
    }
    assert_int_equal(webhook->n_secrets, 10);
    assert_int_equal(webhook_rotate_secret(webhook, SLICE(B), NOW + 10, 100, &err),
                     E_CONFLICT);
    assert_non_null(strstr(err.text, "10 secrets"));
    assert_int_equal(webhook->n_secrets, 10);

    struct signing *signing = signing_new(webhook);
    char all[SIGNATURES_TEXT];
    signing_sign(signing, SLICE("evt_1"), 5, SLICE("{}"), NOW + 10, all);
    int spaces = 0;
    for (const char *at = all; *at; at++)
        spaces += *at == ' ';
    assert_int_equal(spaces, 9);
    signing_free(signing);

    assert_int_equal(rotate(webhook, B, NOW + 101, 100), 0);
    assert_int_equal(webhook->n_secrets, 10);
    webhook_unref(webhook);
}

static void
a_webhook_without_a_valid_secret_has_no_signing(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    assert_null(webhook_secret_text(webhook));
    assert_null(signing_new(webhook));
    webhook_set_secret(webhook, SLICE("whsec_"));
    assert_null(signing_new(webhook));
    signing_free(NULL);
    webhook_unref(webhook);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            rotated_three_times_all_sign_newest_first_until_their_time_is_over),
        cmocka_unit_test(without_overlap_the_old_ones_are_gone),
        cmocka_unit_test(
            a_shorter_overlap_ends_the_older_ones_too_and_a_longer_one_keeps_none_alive),
        cmocka_unit_test(setting_a_secret_ends_all_others),
        cmocka_unit_test(there_are_ten_secrets_at_most_and_ended_ones_make_room),
        cmocka_unit_test(a_webhook_without_a_valid_secret_has_no_signing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
