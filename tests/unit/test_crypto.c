#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/err.h"

static void
check_sha256(const char *text, const char *expected)
{
    uint8_t hash[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];

    sha256(hash, text, strlen(text));
    hex_format(hex, hash, sizeof(hash));
    assert_string_equal(hex, expected);
}

/* FIPS 180-4 examples. */
static void
sha256_gives_the_published_digests(void **state)
{
    (void)state;
    check_sha256("",
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc",
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 1, 2 and 6. */
static void
hmac_gives_the_published_macs(void **state)
{
    (void)state;
    uint8_t long_key[131], short_key[20];
    memset(long_key, 0xaa, sizeof(long_key));
    memset(short_key, 0x0b, sizeof(short_key));
    const struct {
        const void *key;
        size_t n;
        const char *text;
        const char *mac;
    } cases[] = {
        {short_key, sizeof(short_key), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {long_key, sizeof(long_key),
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hmac *hmac = hmac_new(cases[i].key, cases[i].n);
        struct slice whole = slice_of(cases[i].text);
        uint8_t mac[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];

        for (int round = 0; round < 3; round++) { /* the key stays */
            hmac_sign(hmac, &whole, 1, mac);
            hex_format(hex, mac, sizeof(mac));
            assert_string_equal(hex, cases[i].mac);
        }
        struct slice parts[] = {{whole.p, 3}, {NULL, 0}, {whole.p + 3, whole.n - 3}};
        hmac_sign(hmac, parts, ARRAY_LEN(parts), mac);
        hex_format(hex, mac, sizeof(mac));
        assert_string_equal(hex, cases[i].mac);
        hmac_free(hmac);
    }
    hmac_free(NULL);
}

static void
equal_sees_every_byte(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};

    assert_true(crypto_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 0x80;
        assert_false(crypto_equal(a, b, sizeof(a)));
        b[i] = 0;
    }
    assert_true(crypto_equal(a, b, 0));
}

static void
wiping_leaves_zeros(void **state)
{
    (void)state;
    char secret[] = "a secret";
    static const char zeros[sizeof(secret)];

    crypto_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, zeros, sizeof(secret));
}

/* RFC 4648 section 10. */
static void
base64_goes_both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct buf out;
        uint8_t back[8];
        size_t n = 99;
        buf_init(&out, 100);
        assert_int_equal(base64_add(&out, pairs[i][0], strlen(pairs[i][0])), 0);
        assert_int_equal(out.n, strlen(pairs[i][1]));
        assert_memory_equal(out.p, pairs[i][1], out.n + 1);
        assert_true(base64_decode(slice_of(pairs[i][1]), back, sizeof(back), &n));
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(back, pairs[i][0], n);
        buf_fini(&out);
    }
}

static void
every_byte_survives_base64(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[BASE64_LEN(256) + 1];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);

    for (size_t n = 0; n <= sizeof(bytes); n++) {
        size_t got;
        base64_format(text, bytes, n);
        assert_int_equal(strlen(text), BASE64_LEN(n));
        assert_true(base64_decode(slice_of(text), back, n, &got));
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void
loose_base64_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Z",    "Zg",   "Zg=",   "Zg===", "=",      "====",      "Z===",
        "Zh==", "Zm9=", "Zm9v ", " Zm9v", "Zm9v\n", "Zm 9v===",  "Zg==Zg==",
        "Zm-v", "Zm_v", "Z=9v",  "Zm=v",  "Zm9v=",  "\xc3\xa9=="};
    uint8_t out[16];
    size_t n = 7;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(base64_decode(slice_of(wrong[i]), out, sizeof(out), &n));
    assert_false(base64_decode((struct slice){"Zm\0v", 4}, out, sizeof(out), &n));
    assert_int_equal(n, 7); /* outputs stay as they were */
}

static void
base64_beyond_the_room_is_refused(void **state)
{
    (void)state;
    uint8_t out[3] = {1, 2, 3};
    size_t n;

    assert_true(base64_decode(SLICE("Zm9v"), out, 3, &n));
    assert_false(base64_decode(SLICE("Zm9v"), out, 2, &n));
    assert_false(base64_decode(SLICE("Zm9vYg=="), out, 3, &n));

    struct buf small;
    buf_init(&small, 7);
    assert_int_equal(base64_add(&small, "foob", 4), E_TOO_LARGE);
    assert_int_equal(small.n, 0);
    buf_fini(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(hmac_gives_the_published_macs),
        cmocka_unit_test(equal_sees_every_byte),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(loose_base64_is_refused),
        cmocka_unit_test(base64_beyond_the_room_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
