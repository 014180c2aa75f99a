#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/signature.h"

#define KNOWN_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* The first is in the tests of the Standard Webhooks libraries, too. */
static const struct {
    const char *id;
    int64_t timestamp;
    const char *timestamp_text;
    const char *body;
    const char *signature;
} known[] = {
    {"msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "1614265330", "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1674087231, "1674087231", "",
     "v1,A5hMMR9P/3wRdDlYQIpfU6eGBMB4KECXzx5EMRv7TBg="},
};

static void
the_known_answers_come_out(void **state)
{
    (void)state;
    struct signer *signer = signer_new(SLICE(KNOWN_SECRET));
    assert_non_null(signer);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char out[SIGNATURE_TEXT];
        signer_sign(signer, slice_of(known[i].id), known[i].timestamp,
                    slice_of(known[i].body), out);
        assert_string_equal(out, known[i].signature);
        assert_true(signer_verify(signer, slice_of(known[i].id),
                                  slice_of(known[i].timestamp_text),
                                  slice_of(known[i].body), slice_of(out)));
    }
    signer_free(signer);
    signer_free(NULL);
}

static bool
verify_first(struct signer *signer, const char *header)
{
    return signer_verify(signer, slice_of(known[0].id),
                         slice_of(known[0].timestamp_text), slice_of(known[0].body),
                         slice_of(header));
}

static void
a_right_signature_among_others_is_found(void **state)
{
    (void)state;
    static const char right[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    static const char other[] = "v1,A5hMMR9P/3wRdDlYQIpfU6eGBMB4KECXzx5EMRv7TBg=";
    struct signer *signer = signer_new(SLICE(KNOWN_SECRET));
    char header[300];

    snprintf(header, sizeof(header), "%s %s", other, right);
    assert_true(verify_first(signer, header));
    snprintf(header, sizeof(header), "%s %s", right, other);
    assert_true(verify_first(signer, header));
    snprintf(header, sizeof(header), "v1a,abc  v2,xyz %s ", right);
    assert_true(verify_first(signer, header));
    assert_false(verify_first(signer, other));
    signer_free(signer);
}

static void
a_wrong_signature_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        "v1,",
        "v1",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=",
        "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=,",
    };
    struct signer *signer = signer_new(SLICE(KNOWN_SECRET));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(verify_first(signer, wrong[i]));
    signer_free(signer);
}

static void
every_signed_part_counts(void **state)
{
    (void)state;
    struct signer *signer = signer_new(SLICE(KNOWN_SECRET));
    struct slice id = slice_of(known[0].id), time = slice_of(known[0].timestamp_text);
    struct slice body = slice_of(known[0].body);
    struct slice header = slice_of(known[0].signature);

    assert_true(signer_verify(signer, id, time, body, header));
    assert_false(signer_verify(signer, SLICE("msg_x"), time, body, header));
    assert_false(signer_verify(signer, id, SLICE("1614265331"), body, header));
    assert_false(signer_verify(signer, id, SLICE("01614265330"), body, header));
    assert_false(signer_verify(signer, id, time, SLICE("{}"), header));
    struct signer *other = signer_new(SLICE("whsec_NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert_false(signer_verify(other, id, time, body, header));
    signer_free(other);
    signer_free(signer);
}

/* The private seed is 00 01 … 1f. */
#define KNOWN_SEED   "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KNOWN_PUBLIC "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
#define KNOWN_PAIR                                                                     \
    "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8D"                                \
    "oQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA=="
#define KNOWN_V1A                                                                      \
    "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+"           \
    "r4iaBGxTFRrl2iBQxtDQ=="

static void
the_known_answer_of_an_ed25519_key_comes_out(void **state)
{
    (void)state;
    static const char *const forms[] = {KNOWN_SEED, KNOWN_PAIR};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct signer *signer = signer_new(slice_of(forms[i]));
        char out[SIGNATURE_TEXT];
        assert_non_null(signer);
        signer_sign(signer, slice_of(known[0].id), known[0].timestamp,
                    slice_of(known[0].body), out);
        assert_string_equal(out, KNOWN_V1A);
        assert_true(verify_first(signer, out));
        signer_free(signer);
    }
}

static void
a_public_key_verifies_what_its_private_key_signed(void **state)
{
    (void)state;
    struct signer *public = signer_new_public(SLICE(KNOWN_PUBLIC));
    struct signer *other =
        signer_new_public(SLICE("whpk_B6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="));
    assert_non_null(public);
    assert_true(verify_first(public, KNOWN_V1A));
    assert_true(verify_first(public, "v1,abc v1a,abc v1a, v1a " KNOWN_V1A));
    assert_false(verify_first(public, "v1," KNOWN_V1A));
    assert_false(
        verify_first(public, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    assert_false(signer_verify(public, slice_of(known[0].id),
                               slice_of(known[0].timestamp_text), SLICE("{}"),
                               SLICE(KNOWN_V1A)));
    if (other)
        assert_false(verify_first(other, KNOWN_V1A));
    signer_free(other);
    signer_free(public);
}

static void
an_ed25519_secret_is_kept_with_its_public_key(void **state)
{
    (void)state;
    static const char *const forms[] = {KNOWN_SEED, KNOWN_PAIR};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        char kept[SECRET_TEXT], public[PUBLIC_KEY_TEXT];
        struct err err;
        assert_int_equal(secret_read(slice_of(forms[i]), kept, &err), 0);
        assert_string_equal(kept, KNOWN_PAIR);
        assert_int_equal(secret_kind(slice_of(kept)), SECRET_ED25519);
        assert_true(secret_public(slice_of(kept), public));
        assert_string_equal(public, KNOWN_PUBLIC);
    }
    char kept[SECRET_TEXT], public[PUBLIC_KEY_TEXT];
    assert_int_equal(secret_read(SLICE(KNOWN_SECRET), kept, NULL), 0);
    assert_string_equal(kept, KNOWN_SECRET);
    assert_int_equal(secret_kind(slice_of(kept)), SECRET_HMAC);
    assert_false(secret_public(slice_of(kept), public));
}

static void
a_wrong_ed25519_key_is_refused_without_repeating_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "whsk_",
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        /* the public key of another seed */
        ("whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8E"
         "oQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA=="),
        KNOWN_PUBLIC,
        "WHSK_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err err = {0, ""};
        char kept[SECRET_TEXT];
        assert_int_equal(secret_read(slice_of(wrong[i]), kept, &err), E_INVALID);
        assert_null(strstr(err.text, "AAECAwQFBg"));
        assert_null(signer_new(slice_of(wrong[i])));
    }
    assert_null(signer_new_public(SLICE("whpk_")));
    assert_null(signer_new_public(SLICE(KNOWN_SEED)));
}

static void
a_made_secret_is_valid_and_new_each_time(void **state)
{
    (void)state;
    static const size_t lengths[SECRET_KINDS] = {6 + 44, 5 + 88};
    for (int kind = 0; kind < SECRET_KINDS; kind++) {
        char a[SECRET_TEXT], b[SECRET_TEXT];
        struct err err;
        secret_make(a, (enum secret_kind)kind, &rng_system);
        secret_make(b, (enum secret_kind)kind, &rng_system);
        assert_int_equal(strlen(a), lengths[kind]);
        assert_string_not_equal(a, b);
        assert_int_equal(secret_check(slice_of(a), &err), 0);
        assert_int_equal(secret_kind(slice_of(a)), kind);
    }
}

static void
secrets_have_24_to_64_bytes_of_strict_base64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {KNOWN_SECRET, true},                              /* 24 bytes */
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa0=", false}, /* 23 */
        {"whsec_", false},
        {"", false},
        {"whsec", false},
        {"WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", false},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", false},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La-aSw", false},
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAAA==",
         true}, /* 64 */
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAAAA=",
         false}, /* 65 */
        {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAAAAAAA==",
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0, ""};
        int rc = secret_check(slice_of(cases[i].text), &err);
        struct signer *signer = signer_new(slice_of(cases[i].text));
        assert_int_equal(rc, cases[i].valid ? 0 : E_INVALID);
        assert_int_equal(signer != NULL, cases[i].valid);
        assert_int_equal(err.text[0] != '\0', !cases[i].valid);
        signer_free(signer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_answers_come_out),
        cmocka_unit_test(a_right_signature_among_others_is_found),
        cmocka_unit_test(a_wrong_signature_is_refused),
        cmocka_unit_test(every_signed_part_counts),
        cmocka_unit_test(the_known_answer_of_an_ed25519_key_comes_out),
        cmocka_unit_test(a_public_key_verifies_what_its_private_key_signed),
        cmocka_unit_test(an_ed25519_secret_is_kept_with_its_public_key),
        cmocka_unit_test(a_wrong_ed25519_key_is_refused_without_repeating_it),
        cmocka_unit_test(a_made_secret_is_valid_and_new_each_time),
        cmocka_unit_test(secrets_have_24_to_64_bytes_of_strict_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
