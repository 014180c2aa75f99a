#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/ids.h"
#include "base/rng.h"

static void
an_id_is_1_to_64_of_its_alphabet(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'a', sizeof(text));
    assert_true(id_valid((struct slice){text, 1}));
    assert_true(id_valid((struct slice){text, 64}));
    assert_false(id_valid((struct slice){text, 65}));
    assert_false(id_valid((struct slice){text, 0}));
    assert_false(id_valid((struct slice){NULL, 0}));
    for (int c = 0; c < 256; c++) {
        bool want = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        text[1] = (char)c;
        assert_int_equal(id_valid((struct slice){text, 3}), want);
    }
}

static void
event_keys_grow_with_time(void **state)
{
    (void)state;
    msec_t at = EVENT_KEY_EPOCH_MS;
    assert_int_equal(event_key_at(at - 1), 0);
    assert_int_equal(event_key_at(INT64_MIN), 0);
    assert_int_equal(event_key_at(at), 0);
    assert_int_equal(event_key_at(at + 1), UINT64_C(1) << EVENT_KEY_COUNT_BITS);
    assert_int_equal(event_key_ms(event_key_at(at + 12345)), at + 12345);
    assert_int_equal(event_key_ms(event_key_at(at + 12346) - 1), at + 12345);
    assert_true(event_key_at(INT64_MAX) > event_key_at(INT64_C(4102444800000)));
}

static void
keys_and_numbers_come_back_from_their_ids(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t key = i < 64 ? UINT64_MAX >> i : rng_u64(&seeded.rng);
        uint64_t webhook = i < 64 ? (uint64_t)i : rng_u64(&seeded.rng);
        uint64_t key_back = 0, webhook_back = 0;
        char id[ID_TEXT];

        event_id_format(id, key);
        assert_true(id_valid(slice_of(id)));
        assert_null(strchr(id, '.'));
        assert_true(event_id_parse(slice_of(id), &key_back));
        assert_int_equal(key_back, key);

        webhook_id_format(id, webhook);
        assert_true(webhook_id_parse(slice_of(id), &webhook_back));
        assert_int_equal(webhook_back, webhook);

        call_id_format(id, key, webhook);
        assert_true(id_valid(slice_of(id)));
        assert_true(call_id_parse(slice_of(id), &key_back, &webhook_back));
        assert_int_equal(key_back, key);
        assert_int_equal(webhook_back, webhook);
    }
}

static void
event_ids_sort_like_their_keys(void **state)
{
    (void)state;
    char low[ID_TEXT], high[ID_TEXT];
    event_id_format(low, 31);
    event_id_format(high, 32);
    assert_string_equal(low, "evt_000000000000z");
    assert_string_equal(high, "evt_0000000000010");
    event_id_format(high, UINT64_MAX);
    assert_string_equal(high, "evt_fzzzzzzzzzzzz");
    assert_true(strcmp(low, high) < 0);
}

static void
webhook_ids_tell_no_count(void **state)
{
    (void)state;
    char one[ID_TEXT], two[ID_TEXT], call[ID_TEXT];
    webhook_id_format(one, 1);
    webhook_id_format(two, 2);
    int differ = 0;
    for (size_t i = 3; i < strlen(one); i++)
        differ += one[i] != two[i];
    assert_true(differ >= 6);
    call_id_format(call, 5, 1);
    assert_string_equal(call + 5 + 13 + 1, one + 3);
}

static void
only_the_canonical_form_of_an_id_is_read(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "evt_",
        "evt_000000000000",
        "evt_00000000000000",
        "evt_000000000000Z",
        "evt_000000000000i",
        "evt_000000000000l",
        "evt_000000000000o",
        "evt_000000000000u",
        "evt_000000000000-",
        "evt_g000000000000",
        "evt_zzzzzzzzzzzzz",
        "EVT_0000000000000",
        "evt0000000000000",
        "wh_0000000000000",
        " evt_0000000000000",
        "evt_0000000000000 ",
    };
    uint64_t key = 7, webhook = 7;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (event_id_parse(slice_of(rows[i]), &key))
            fail_msg("%s was read", rows[i]);
    }
    assert_false(event_id_parse(SLICE("evt_000000000000\0"), &key));
    assert_false(webhook_id_parse(SLICE("wh_000000000000"), &webhook));
    assert_false(webhook_id_parse(SLICE("wh_00000000000000"), &webhook));
    assert_false(webhook_id_parse(SLICE("wh_z000000000000"), &webhook));
    assert_false(webhook_id_parse(SLICE("evt_0000000000000"), &webhook));
    assert_false(call_id_parse(SLICE("call_0000000000000"), &key, &webhook));
    assert_false(call_id_parse(SLICE("call_0000000000000_"), &key, &webhook));
    assert_false(
        call_id_parse(SLICE("call_00000000000000000000000000"), &key, &webhook));
    assert_false(
        call_id_parse(SLICE("call_0000000000000_g000000000000"), &key, &webhook));
    assert_false(
        call_id_parse(SLICE("call_0000000000000_00000000000000"), &key, &webhook));
    assert_int_equal(key, 7);
    assert_int_equal(webhook, 7);
}

/* ---- ids of others' making ---- */

static void
made_ids_are_valid_and_differ(void **state)
{
    (void)state;
    char a[ID_MADE + 1], b[ID_MADE + 1];

    id_make(a, &rng_system);
    id_make(b, &rng_system);
    assert_int_equal(ID_MADE, 17);
    assert_int_equal(strlen(a), ID_MADE);
    assert_true(id_valid(slice_of(a)));
    assert_string_not_equal(a, b);
}

static void
made_ids_use_their_whole_alphabet_and_nothing_else(void **state)
{
    static const char alphabet[] =
        "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
    struct rng_seeded seeded;
    char id[ID_MADE + 1];
    size_t seen[256] = {0};

    (void)state;
    rng_seeded_init(&seeded, 17);
    for (int i = 0; i < 10000; i++) {
        id_make(id, &seeded.rng);
        assert_int_equal(strlen(id), ID_MADE);
        for (size_t at = 0; at < ID_MADE; at++)
            seen[(unsigned char)id[at]]++;
    }
    assert_int_equal(strlen(alphabet), 55);
    /* Each about 3,091 times. */
    for (int c = 1; c < 256; c++) {
        if (strchr(alphabet, c))
            assert_in_range(seen[c], 2700, 3500);
        else
            assert_int_equal(seen[c], 0);
    }
    for (const char *c = "01IOUVl"; *c; c++)
        assert_null(strchr(alphabet, *c));
}

static void
a_seed_makes_the_same_ids_again(void **state)
{
    struct rng_seeded one, two;
    char a[ID_MADE + 1], b[ID_MADE + 1];

    (void)state;
    rng_seeded_init(&one, 5);
    rng_seeded_init(&two, 5);
    id_make(a, &one.rng);
    id_make(b, &two.rng);
    assert_string_equal(a, b);
    id_make(b, &two.rng);
    assert_string_not_equal(a, b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_1_to_64_of_its_alphabet),
        cmocka_unit_test(event_keys_grow_with_time),
        cmocka_unit_test(keys_and_numbers_come_back_from_their_ids),
        cmocka_unit_test(event_ids_sort_like_their_keys),
        cmocka_unit_test(webhook_ids_tell_no_count),
        cmocka_unit_test(only_the_canonical_form_of_an_id_is_read),
        cmocka_unit_test(made_ids_are_valid_and_differ),
        cmocka_unit_test(made_ids_use_their_whole_alphabet_and_nothing_else),
        cmocka_unit_test(a_seed_makes_the_same_ids_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
