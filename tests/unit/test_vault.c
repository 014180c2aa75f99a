/* What is encrypted at rest, and the master keys that it is encrypted with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "core/vault.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define TEXT  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* NIST's gcmEncryptExtIV256, 96-bit nonce, 128 bits each of text and what it belongs
 * to. */
static void
aes_gcm_gives_the_published_ciphertext(void **state)
{
    (void)state;
    static const uint8_t key[AEAD_KEY_BYTES] = {
        0x92, 0xe1, 0x1d, 0xcd, 0xaa, 0x86, 0x6f, 0x5c, 0xe7, 0x90, 0xfd,
        0x24, 0x50, 0x1f, 0x92, 0x50, 0x9a, 0xac, 0xf4, 0xcb, 0x8b, 0x13,
        0x39, 0xd5, 0x0c, 0x9c, 0x12, 0x40, 0x93, 0x5d, 0xd0, 0x8b};
    static const uint8_t nonce[AEAD_NONCE_BYTES] = {0xac, 0x93, 0xa1, 0xa6, 0x14, 0x52,
                                                    0x99, 0xbd, 0xe9, 0x02, 0xf2, 0x1a};
    static const char text[] =
        "\x2d\x71\xbc\xfa\x91\x4e\x4a\xc0\x45\xb2\xaa\x60\x95\x5f\xad\x24";
    static const char about[] =
        "\x1e\x08\x89\x01\x6f\x67\x60\x1c\x8e\xbe\xa4\x94\x3b\xc2\x3a\xd6";
    uint8_t out[16 + AEAD_TAG_BYTES], back[16];
    char hex[2 * sizeof(out) + 1];

    aead_seal(key, nonce, SLICE(about), SLICE(text), out);
    hex_format(hex, out, sizeof(out));
    assert_string_equal(
        hex, "8995ae2e6df3dbf96fac7b7137bae67feca5aa77d51d4a0a14d9c51e1da474ab");
    struct slice sealed = {(const char *)out, sizeof(out)};
    assert_true(aead_open(key, nonce, SLICE(about), sealed, back));
    assert_memory_equal(back, text, sizeof(back));
    assert_false(aead_open(key, nonce, SLICE("other"), sealed, back));
    for (size_t i = 0; i < sizeof(back); i++)
        assert_int_equal(back[i], 0);
}

static void
read_keys(struct vault *vault, const char *text)
{
    struct err err = {0, ""};
    if (vault_read(vault, slice_of(text), &err) != 0)
        fail_msg("%s", err.text);
}

static int
open_text(const struct vault *vault, const char *about, struct slice sealed)
{
    struct buf out;
    buf_init_mem(&out, 1000, &mem_secret);
    int rc = vault_open(vault, slice_of(about), sealed, &out);
    if (rc == 0)
        assert_true(slice_is(buf_slice(&out), TEXT));
    else
        assert_int_equal(out.n, 0);
    buf_fini(&out);
    return rc;
}

static void
what_is_sealed_opens_for_what_it_was_sealed_for_alone(void **state)
{
    (void)state;
    struct vault vault, other;
    struct buf sealed, again;
    struct slice id;
    read_keys(&vault, KEY_A "\n");
    read_keys(&other, KEY_B "\n");
    buf_init(&sealed, 1000);
    buf_init(&again, 1000);
    assert_int_equal(
        vault_seal(&vault, SLICE("webhook 1"), SLICE(TEXT), &rng_system, &sealed), 0);
    assert_int_equal(
        vault_seal(&vault, SLICE("webhook 1"), SLICE(TEXT), &rng_system, &again), 0);
    assert_false(slice_eq(buf_slice(&sealed), buf_slice(&again)));
    assert_null(strstr(sealed.p, "whsec_"));
    assert_true(vault_sealed_with(buf_slice(&sealed), &id));
    assert_true(slice_is(id, vault.keys[0].id));

    assert_int_equal(open_text(&vault, "webhook 1", buf_slice(&sealed)), 0);
    assert_int_equal(open_text(&vault, "webhook 1", buf_slice(&again)), 0);
    assert_int_equal(open_text(&vault, "webhook 2", buf_slice(&sealed)), E_INVALID);
    assert_int_equal(open_text(&other, "webhook 1", buf_slice(&sealed)), E_NOT_FOUND);
    buf_fini(&again);
    buf_fini(&sealed);
}

static void
every_change_of_a_sealed_text_is_noticed(void **state)
{
    (void)state;
    struct vault vault;
    struct buf sealed;
    read_keys(&vault, KEY_A);
    buf_init(&sealed, 1000);
    assert_int_equal(vault_seal(&vault, SLICE("x"), SLICE(TEXT), &rng_system, &sealed),
                     0);
    for (size_t i = 0; i < sealed.n; i++) {
        char was = sealed.p[i];
        sealed.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(open_text(&vault, "x", buf_slice(&sealed)), 0);
        sealed.p[i] = was;
        assert_int_not_equal(open_text(&vault, "x", (struct slice){sealed.p, i}), 0);
    }
    assert_int_equal(open_text(&vault, "x", buf_slice(&sealed)), 0);
    buf_fini(&sealed);
}

static void
the_first_key_seals_and_the_others_open(void **state)
{
    (void)state;
    struct vault one, both;
    struct buf old, new;
    read_keys(&one, KEY_A);
    read_keys(&both, "\n" KEY_B "\r\n\n" KEY_A "\n" KEY_B);
    assert_int_equal(both.n, 2);
    buf_init(&old, 1000);
    buf_init(&new, 1000);
    assert_int_equal(vault_seal(&one, SLICE("x"), SLICE(TEXT), &rng_system, &old), 0);
    assert_int_equal(vault_seal(&both, SLICE("x"), SLICE(TEXT), &rng_system, &new), 0);
    assert_int_equal(open_text(&both, "x", buf_slice(&old)), 0);
    assert_int_equal(open_text(&both, "x", buf_slice(&new)), 0);
    assert_int_equal(open_text(&one, "x", buf_slice(&new)), E_NOT_FOUND);
    buf_fini(&new);
    buf_fini(&old);
}

static void
a_made_key_comes_first_and_is_read_back(void **state)
{
    (void)state;
    struct vault vault, again;
    struct buf text;
    struct err err;
    read_keys(&vault, KEY_A);
    for (int i = 1; i < VAULT_KEYS_MAX; i++)
        assert_int_equal(vault_make_key(&vault, &rng_system, &err), 0);
    assert_int_equal(vault_make_key(&vault, &rng_system, &err), E_CONFLICT);
    buf_init_mem(&text, 4096, &mem_secret);
    assert_int_equal(vault_write(&vault, &text), 0);
    read_keys(&again, text.p);
    assert_memory_equal(&again, &vault, sizeof(vault));
    buf_fini(&text);
    vault_wipe(&vault);
    assert_int_equal(vault.n, 0);
}

static void
a_file_that_holds_something_else_is_refused_without_repeating_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "\n\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        KEY_A " ",
        " " KEY_A,
        KEY_A "\nhunter2\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        KEY_A KEY_B,
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct vault vault;
        struct err err = {0, ""};
        assert_int_equal(vault_read(&vault, slice_of(wrong[i]), &err), E_INVALID);
        assert_int_equal(vault.n, 0);
        assert_null(strstr(err.text, "AAECAw"));
        assert_null(strstr(err.text, "hunter2"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aes_gcm_gives_the_published_ciphertext),
        cmocka_unit_test(what_is_sealed_opens_for_what_it_was_sealed_for_alone),
        cmocka_unit_test(every_change_of_a_sealed_text_is_noticed),
        cmocka_unit_test(the_first_key_seals_and_the_others_open),
        cmocka_unit_test(a_made_key_comes_first_and_is_read_back),
        cmocka_unit_test(
            a_file_that_holds_something_else_is_refused_without_repeating_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
