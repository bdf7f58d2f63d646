/* The JSON writer: what it writes is JSON, and what goes wrong is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/json.h"
#include "tests/lib/suite.h"

static void check_text(struct kl_json *json, const char *expected)
{
    char *text = kl_json_finish(json);

    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, expected);
    free(text);
}

static double half(const void *self, uint32_t i)
{
    return *(const double *)self * i / 2;
}

START_TEST(values_and_containers_are_written_in_order)
{
    static const double doubles[] = {1, -0.5, NAN, INFINITY, 1e300};
    static const float floats[] = {0.1F, 16777216};
    struct kl_json json = kl_json_begin();
    double step = 1;

    kl_json_count(&json, "most", UINT64_MAX);
    kl_json_object(&json, "empty");
    kl_json_end(&json);
    kl_json_list(&json, "list");
    kl_json_null(&json, NULL);
    kl_json_bool(&json, NULL, 1);
    kl_json_list(&json, NULL);
    kl_json_end(&json);
    kl_json_object(&json, NULL);
    kl_json_bool(&json, "no", 0);
    kl_json_end(&json);
    kl_json_end(&json);
    kl_json_doubles(&json, "doubles", doubles, 5);
    kl_json_floats(&json, "floats", floats, 2);
    kl_json_long_list(&json, "long", 4, half, &step);
    kl_json_object(&json, "left open");
    kl_json_list(&json, "too");
    check_text(&json, "{\"most\":18446744073709551615,\"empty\":{},\"list\":[null,true,[],{\"no\":"
                      "false}],\"doubles\":[1,-0.5,null,null,1e+300],\"floats\":[0.1,1.677722e+07],"
                      "\"long\":[0,0.5,1,1.5],\"left open\":{\"too\":[]}}");
}
END_TEST

START_TEST(texts_are_escaped_and_never_end_early)
{
    struct kl_json json = kl_json_begin();

    kl_json_string(&json, "a\"b", "\\ \b\f\n\r\t \x01\x1f \x7f é ⏎ </script>");
    kl_json_string(&json, "", "");
    check_text(&json,
               "{\"a\\\"b\":\"\\\\ \\b\\f\\n\\r\\t \\u0001\\u001f \x7f é ⏎ </script>\",\"\":\"\"}");
}
END_TEST

START_TEST(a_long_answer_is_whole)
{
    struct kl_json json = kl_json_begin();
    size_t length = 0;
    char *text;

    for (int i = 0; i < 100000; i++)
        kl_json_string(&json, "name", "value");
    text = kl_json_finish(&json);
    ck_assert_ptr_nonnull(text);
    length = strlen(text);
    ck_assert_uint_eq(length, 100000 * strlen("\"name\":\"value\",") + 1);
    ck_assert_int_eq(text[length - 1], '}');
    free(text);
}
END_TEST

START_TEST(once_memory_ran_out_there_is_no_text)
{
    struct kl_json json = kl_json_begin();

    kl_json_string(&json, "name", "value");
    kl_json_list(&json, "list");
    kl_json_fail(&json);
    kl_json_count(&json, NULL, 1);
    kl_json_end(&json);
    kl_json_object(&json, "more");
    ck_assert_ptr_null(kl_json_finish(&json));
}
END_TEST

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

START_TEST(the_systems_refusal_is_kept)
{
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    struct kl_json json;

    if (HAS_SANITIZER)
        return; /* it has taken more already */
    json = kl_json_begin();
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    for (int i = 0; i < 200000000 && !json.has_failed; i++)
        kl_json_string(&json, "name", "a value of some length");
    ck_assert(json.has_failed);
    kl_json_string(&json, "after", "it");
    ck_assert_ptr_null(kl_json_finish(&json));
}
END_TEST

MAIN("json", values_and_containers_are_written_in_order, texts_are_escaped_and_never_end_early,
     a_long_answer_is_whole, once_memory_ran_out_there_is_no_text, the_systems_refusal_is_kept)
