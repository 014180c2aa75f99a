#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/key.h"

static const char *const role_texts[] = {"admin", "manage", "ingest", "read"};

static void
a_made_key_matches_its_own_text_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        struct key key = {.role = (enum role)i}, other = {.role = (enum role)i};
        char text[KEY_TEXT], other_text[KEY_TEXT], id[ID_TEXT];

        key_make(&key, text, &rng_system);
        key_make(&other, other_text, &rng_system);
        assert_true(key_id_of(slice_of(text), id));
        assert_string_equal(id, key.id);
        assert_true(key_matches(&key, slice_of(text)));
        assert_false(key_matches(&key, slice_of(other_text)));
        assert_string_not_equal(key.id, other.id);
        assert_int_equal(key.role, i);

        size_t n = strlen(text);
        text[n - 1] = text[n - 1] == 'A' ? 'B' : 'A';
        assert_false(key_matches(&key, slice_of(text)));
        assert_false(key_matches(&key, (struct slice){text, n - 1}));
        assert_false(key_matches(&key, (struct slice){text, 0}));
    }
}

static void
a_key_says_its_role_id_and_secret(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        struct key key = {.role = (enum role)i};
        struct rng_seeded seeded;
        char text[KEY_TEXT], start[KEY_TEXT];

        rng_seeded_init(&seeded, i);
        key_make(&key, text, &seeded.rng);
        assert_int_equal(strlen(key.id), 4 + 13);
        snprintf(start, sizeof(start), "pw_%s_%.13s", role_texts[i], key.id + 4);
        assert_memory_equal(text, start, strlen(start));
        const char *secret = text + strlen(start);
        assert_int_equal(strlen(secret), 43 + 6);
        assert_int_equal(strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                        "uvwxyz0123456789-_"),
                         43 + 6);
        assert_int_equal(strspn(key.id + 4, "0123456789abcdefghjkmnpqrstvwxyz"), 13);
    }
}

/* Every byte of the secret reaches the text: 43 digits of 6 bits. */
struct rng_bytes {
    struct rng rng;
    uint8_t byte;
};

static void
fill_with_one_byte(struct rng *rng, void *bytes, size_t n)
{
    memset(bytes, container_of(rng, struct rng_bytes, rng)->byte, n);
}

static void
the_secret_is_base64url(void **state)
{
    (void)state;
    struct key key = {.role = ROLE_READ};
    char text[KEY_TEXT];
    struct rng_bytes ones = {{fill_with_one_byte}, 0xff};
    struct rng_bytes zeros = {{fill_with_one_byte}, 0};

    key_make(&key, text, &ones.rng);
    assert_string_equal(
        text, "pw_read_zzzzzzzzzzzzz__________________________________________8"
              "WykrTX");
    key_make(&key, text, &zeros.rng);
    assert_string_equal(
        text, "pw_read_0000000000000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
              "hpSbc0");
}

static void
what_does_not_look_like_a_key_has_no_id(void **state)
{
    (void)state;
    static const char good[] = "pw_ingest_0123456789abc"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_";
    static const struct {
        size_t at; /* one character of the good one changes */
        char to;
    } changes[] = {{0, 'P'},   {2, '-'},   {3, 'I'},  {5, 'G'},        {9, '-'},
                   {10, 'i'},  {15, 'l'},  {20, 'o'}, {22, 'u'},       {12, 'A'},
                   {23, '+'},  {40, '/'},  {65, '='}, {65, ' '},       {65, '\n'},
                   {30, '\0'}, {12, '\0'}, {3, '\0'}, {44, (char)0xe9}};
    static const char *const wrong[] = {"", "pw_", "pw_ingest_", "pw__"};
    char id[ID_TEXT] = "untouched";
    char text[sizeof(good) + 1];

    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        memcpy(text, good, sizeof(good));
        text[changes[i].at] = changes[i].to;
        assert_false(key_id_of((struct slice){text, sizeof(good) - 1}, id));
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(key_id_of(slice_of(wrong[i]), id));
    assert_false(key_id_of((struct slice){good, sizeof(good) - 2}, id));
    memset(text, 'A', sizeof(text));
    memcpy(text, good, sizeof(good) - 1);
    assert_false(key_id_of((struct slice){text, sizeof(good)}, id));
    char huge[4096];
    memset(huge, 'A', sizeof(huge));
    memcpy(huge, "pw_", 3);
    assert_false(key_id_of((struct slice){huge, sizeof(huge)}, id));
    assert_false(key_id_of((struct slice){NULL, 0}, id));
    assert_string_equal(id, "untouched");

    assert_true(key_id_of(slice_of(good), id));
    assert_string_equal(id, "key_0123456789abc");
}

/* Every slip of the pen is noticed before anybody looks the key up, and one of before
 * there was a check is a key still. */
static void
a_key_with_another_check_has_no_id(void **state)
{
    (void)state;
    struct key key = {.role = ROLE_ADMIN};
    char text[KEY_TEXT], id[ID_TEXT];
    key_make(&key, text, &rng_system);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(key_id_of(slice_of(text), id));
        text[i] = was;
    }
    for (size_t less = 1; less < 10; less++)
        assert_int_equal(key_id_of((struct slice){text, n - less}, id), less == 6);
    assert_true(key_id_of(slice_of(text), id));
    assert_string_equal(id, key.id);
}

static void
roles_go_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        enum role role = ROLES;
        assert_string_equal(role_name((enum role)i), role_texts[i]);
        assert_true(role_parse(slice_of(role_texts[i]), &role));
        assert_int_equal(role, i);
    }
    enum role role = ROLE_READ;
    assert_false(role_parse(SLICE("Admin"), &role));
    assert_false(role_parse(SLICE(""), &role));
    assert_int_equal(role, ROLE_READ);
}

static void
each_role_may_what_it_is_for(void **state)
{
    (void)state;
    enum { ABOVE = 0, OWN = 5, OTHER = 6 };
    static const struct {
        enum role role;
        uint64_t channel;
        enum permission permission;
        uint64_t at;
        bool may;
    } cases[] = {
        {ROLE_ADMIN, 0, MAY_ADMIN, ABOVE, true},
        {ROLE_ADMIN, 0, MAY_MANAGE, OWN, true},
        {ROLE_ADMIN, 0, MAY_INGEST, OTHER, true},
        {ROLE_ADMIN, 0, MAY_READ, ABOVE, true},
        {ROLE_MANAGE, OWN, MAY_ADMIN, OWN, false},
        {ROLE_MANAGE, OWN, MAY_ADMIN, ABOVE, false},
        {ROLE_MANAGE, OWN, MAY_MANAGE, OWN, true},
        {ROLE_MANAGE, OWN, MAY_MANAGE, OTHER, false},
        {ROLE_MANAGE, OWN, MAY_MANAGE, ABOVE, false},
        {ROLE_MANAGE, OWN, MAY_INGEST, OWN, true},
        {ROLE_MANAGE, OWN, MAY_READ, OWN, true},
        {ROLE_MANAGE, OWN, MAY_READ, OTHER, false},
        {ROLE_INGEST, OWN, MAY_INGEST, OWN, true},
        {ROLE_INGEST, OWN, MAY_INGEST, OTHER, false},
        {ROLE_INGEST, OWN, MAY_READ, OWN, false},
        {ROLE_INGEST, OWN, MAY_MANAGE, OWN, false},
        {ROLE_READ, OWN, MAY_READ, OWN, true},
        {ROLE_READ, OWN, MAY_READ, OTHER, false},
        {ROLE_READ, OWN, MAY_READ, ABOVE, false},
        {ROLE_READ, OWN, MAY_INGEST, OWN, false},
        {ROLE_READ, 0, MAY_READ, OTHER, true},
        {ROLE_READ, 0, MAY_READ, ABOVE, true},
        {ROLE_READ, 0, MAY_MANAGE, OTHER, false},
        {ROLE_READ, 0, MAY_ADMIN, ABOVE, false},
        {ROLE_ADMIN, 0, MAY_ASK, ABOVE, true},
        {ROLE_MANAGE, OWN, MAY_ASK, OWN, true},
        {ROLE_INGEST, OWN, MAY_ASK, OWN, true},
        {ROLE_READ, OWN, MAY_ASK, OWN, true},
        {ROLE_READ, 0, MAY_ASK, ABOVE, true},
        /* Keys that should not exist open nothing. */
        {ROLE_MANAGE, 0, MAY_MANAGE, OTHER, false},
        {ROLE_INGEST, 0, MAY_INGEST, OTHER, false},
        {ROLE_INGEST, 0, MAY_ASK, ABOVE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct key key = {.role = cases[i].role, .channel = cases[i].channel};
        if (key_may(&key, cases[i].permission, cases[i].at) != cases[i].may)
            fail_msg("case %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_key_matches_its_own_text_only),
        cmocka_unit_test(a_key_says_its_role_id_and_secret),
        cmocka_unit_test(the_secret_is_base64url),
        cmocka_unit_test(what_does_not_look_like_a_key_has_no_id),
        cmocka_unit_test(a_key_with_another_check_has_no_id),
        cmocka_unit_test(roles_go_both_ways),
        cmocka_unit_test(each_role_may_what_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
