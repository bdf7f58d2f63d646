/* The server's pure functions, by table. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/number.h"
#include "core/base/random.h"
#include "server/http/encoding.h"
#include "server/http/guard.h"
#include "api/number.h"
#include "api/asked/question.h"
#include "api/png.h"
#include "tests/lib/suite.h"

START_TEST(only_names_of_this_machine_are_hosts)
{
    static const char *const allowed[] = {"lab.example"};
    static const char *const good[] = {"localhost", "LOCALHOST:80", "127.0.0.1:8420", "127.3.2.1",
                                       "[::1]",     "[::1]:9",      "lab.example:80", "localhost:"};
    static const char *const bad[] = {"evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil",
                                      "128.0.0.1",
                                      "127.0.0.1:80x",
                                      "[::1",
                                      "",
                                      "lab.example.com",
                                      "127.0.0.256",
                                      "[::2]",
                                      "localhost:80:90"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(kl_guard_host(good[i], allowed, 1), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!kl_guard_host(bad[i], allowed, 1), "%s", bad[i]);
    ck_assert(!kl_guard_host(NULL, allowed, 1));
    ck_assert(kl_guard_is_loopback("127.0.0.1") && !kl_guard_is_loopback("0.0.0.0"));
}
END_TEST

START_TEST(only_our_own_page_posts)
{
    ck_assert(kl_guard_same_origin(NULL, NULL, "localhost:1", NULL));
    ck_assert(kl_guard_same_origin("same-origin", "http://localhost:1", "localhost:1", NULL));
    ck_assert(kl_guard_same_origin("none", NULL, "localhost:1", NULL));
    ck_assert(!kl_guard_same_origin("cross-site", NULL, "localhost:1", NULL));
    ck_assert(!kl_guard_same_origin("same-site", NULL, "localhost:1", NULL));
    ck_assert(!kl_guard_same_origin(NULL, "http://localhost:2", "localhost:1", NULL));
    ck_assert(!kl_guard_same_origin(NULL, "null", "localhost:1", NULL));
    ck_assert(!kl_guard_same_origin(NULL, "http://localhost:1", NULL, NULL));
}
END_TEST

START_TEST(if_none_match_is_a_list)
{
    const char *tag = "\"abc\"";
    static const char *const good[] = {"\"abc\"",        "W/\"abc\"",           "*",
                                       "\"x\", \"abc\"", "\"a,b\" , W/\"abc\"", " ,\"abc\""};
    static const char *const bad[] = {"\"abcd\"", "abc", "", "\"x\"", "\"x", "\"a\",\"b\""};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(kl_guard_etag_matches(good[i], tag), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!kl_guard_etag_matches(bad[i], tag), "%s", bad[i]);
    ck_assert(!kl_guard_etag_matches(NULL, tag));
}
END_TEST

START_TEST(media_types_secrets_and_cookies_are_read_exactly)
{
    char value[8];

    ck_assert(kl_guard_is_json("application/json"));
    ck_assert(kl_guard_is_json("Application/JSON; charset=utf-8"));
    ck_assert(!kl_guard_is_json("application/jsonx") && !kl_guard_is_json("text/plain"));
    ck_assert(!kl_guard_is_json(NULL));
    ck_assert(kl_guard_secret_equals("s3cret", "s3cret"));
    ck_assert(!kl_guard_secret_equals("s3cre", "s3cret"));
    ck_assert(!kl_guard_secret_equals("s3crets3cret", "s3cret"));
    ck_assert(!kl_guard_secret_equals("", "s3cret"));
    ck_assert_int_eq(kl_guard_cookie("a=b; key=value; c=d", "key", value, 8), 0);
    ck_assert_str_eq(value, "value");
    ck_assert_int_eq(kl_guard_cookie("monkey=value", "key", value, 8), -1);
    ck_assert_int_eq(kl_guard_cookie("key=much-too-long", "key", value, 8), -1);
    ck_assert_int_eq(kl_guard_cookie(NULL, "key", value, 8), -1);
}
END_TEST

START_TEST(words_of_a_query_are_read_exactly)
{
    uint32_t number;
    int logit;

    ck_assert_str_eq(kl_rank_parse("negative", &logit)->name, "negative");
    ck_assert_int_eq(logit, -1);
    ck_assert_str_eq(kl_rank_parse("logit:12", &logit)->name, "logit");
    ck_assert_int_eq(logit, 12);
    ck_assert_str_eq(kl_rank_parse("helped", &logit)->name, "proponents");
    ck_assert_ptr_null(kl_rank_parse("logit:", &logit));
    ck_assert_ptr_null(kl_rank_parse("logit:-1", &logit));
    ck_assert_ptr_null(kl_rank_parse("logit:1e3", &logit));
    ck_assert_ptr_null(kl_rank_parse("abs:1", &logit));
    ck_assert_ptr_null(kl_rank_parse("Abs", &logit));
    ck_assert_int_eq(kl_parse_number("0123", &number), 0);
    ck_assert_uint_eq(number, 123);
    ck_assert_int_eq(kl_parse_number("", &number), -1);
    ck_assert_int_eq(kl_parse_number("1e3", &number), -1);
    ck_assert_int_eq(kl_parse_number("1234567890", &number), -1);
}
END_TEST

START_TEST(a_sheet_is_a_png_of_the_right_size_and_never_too_large)
{
    struct kl_dataset dataset = {.width = 3, .height = 2, .channels = 1};
    uint8_t images[18] = {0}, *png = NULL;
    struct kl_error err;
    size_t n_bytes = 0;

    ck_ok(kl_png_sheet(&dataset, images, 3, 2, 5, &png, &n_bytes, &err), err);
    ck_assert_mem_eq(png, "\x89PNG\r\n\x1a\n", 8);
    ck_assert_uint_eq(png[19], 30); /* width 2 x 3 x 5 */
    ck_assert_uint_eq(png[23], 20);
    free(png);
    ck_assert_int_eq(kl_png_sheet(&dataset, images, 3, 2, 1000, &png, &n_bytes, &err),
                     KL_ERR_USAGE);
}
END_TEST

/* The same text as printf's, but for halves, which may round to the other side. */
static void check_number(double value)
{
    char ours[KL_NUMBER_BYTES], theirs[40];
    size_t length = kl_print_number(value, ours);

    snprintf(theirs, sizeof theirs, isfinite(value) ? "%.7g" : "null", value);
    ck_assert_uint_eq(length, strlen(ours));
    if (strcmp(ours, theirs) != 0) {
        ck_assert_msg(fabs(strtod(ours, NULL) - strtod(theirs, NULL)) <= 1.01e-6 * fabs(value),
                      "%.17g: %s, not %s", value, ours, theirs);
        ck_assert_msg(fabs(strtod(ours, NULL) - value) <= 0.50001e-6 * fabs(value),
                      "%.17g: %s is not as near as it could be", value, ours);
    }
}

START_TEST(numbers_are_printed_as_printf_does)
{
    static const double values[] = {0,        -0.0,     1,        -1,       10,        9999999,
                                    10000000, 99999999, 0.1,      1e-4,     9.9999e-5, 0.00012345,
                                    123456.7, 1e15,     1e14,     1e-15,    1e-16,     5e-324,
                                    1.7e308,  3.0 / 7,  INFINITY, NAN,      -1.5e-7,   2e22,
                                    9.99e14,  100.5,    1234567,  1234568e8};
    char text[KL_NUMBER_BYTES];
    struct kl_random random;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_number(values[i]);
    kl_random_seed(&random, 11, 0);
    for (int i = 0; i < 100000; i++)
        check_number(kl_random_normal(&random) *
                     pow(10, (double)kl_random_below(&random, 44) - 22));
    kl_print_number(-0.001234, text);
    ck_assert_str_eq(text, "-0.001234");
    kl_print_number(1.25e-9, text);
    ck_assert_str_eq(text, "1.25e-09");
}
END_TEST

START_TEST(an_accept_encoding_is_a_list_with_qualities)
{
    static const char *const good[] = {
        "gzip", "GZIP",      "br, gzip",   "gzip;q=0.1", "br;q=1, gzip; q=1",
        "*",    "br;q=0, *", "gzip, *;q=0"};
    static const char *const bad[] = {"",      "br",    "gzip;q=0",    "gzip; q=0.0", "gzipped",
                                      "xgzip", "*;q=0", "*, gzip;q=0", ",,",          ";"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(kl_encoding_accepts_gzip(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!kl_encoding_accepts_gzip(bad[i]), "%s", bad[i]);
    ck_assert(!kl_encoding_accepts_gzip(NULL));
}
END_TEST

MAIN("guard", an_accept_encoding_is_a_list_with_qualities, only_names_of_this_machine_are_hosts,
     only_our_own_page_posts, if_none_match_is_a_list,
     media_types_secrets_and_cookies_are_read_exactly, words_of_a_query_are_read_exactly,
     numbers_are_printed_as_printf_does, a_sheet_is_a_png_of_the_right_size_and_never_too_large)
