/* The table of settings: every row is well formed, and says its value and takes it back. */
#include <stdio.h>
#include <string.h>

#include "core/training/settings.h"
#include "tests/lib/suite.h"

START_TEST(every_setting_says_its_value_and_takes_it_back)
{
    struct kl_training training = {0}, other = {0};
    const struct kl_setting *setting;
    struct kl_error err;
    uint32_t n = 0;

    kl_settings_default(&training);
    kl_settings_default(&other);
    for (; (setting = kl_setting_at(n)); n++) {
        char text[KL_VALUE_BYTES], again[KL_VALUE_BYTES];

        ck_assert_ptr_eq(kl_setting_find(setting->name), setting);
        ck_assert(setting->help[0] && setting->flag[0] && setting->applies);
        kl_setting_format(setting, &training, text);
        if (text[0])
            ck_ok(kl_setting_parse(setting, text, &other, &err), err);
        kl_setting_format(setting, &other, again);
        ck_assert_str_eq(again, text);
        for (uint32_t i = 0; i < n; i++) {
            ck_assert_str_ne(kl_setting_at(i)->name, setting->name);
            ck_assert_str_ne(kl_setting_at(i)->flag, setting->flag);
        }
    }
    ck_assert_uint_gt(n, 20);
    ck_assert_ptr_null(kl_setting_find("no_such_setting"));
}
END_TEST

START_TEST(numbers_keep_within_their_bounds)
{
    const struct kl_setting *setting;
    struct kl_training training = {0};
    struct kl_error err;

    kl_settings_default(&training);
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++) {
        char text[KL_VALUE_BYTES], rule[KL_VALUE_BYTES];

        if (setting->type != KL_SETTING_INTEGER && setting->type != KL_SETTING_REAL)
            continue;
        snprintf(text, sizeof text, "%.17g", setting->low);
        ck_assert_int_eq(kl_setting_parse(setting, text, &training, &err) == KL_OK,
                         !(setting->open & KL_OPEN_LOW));
        snprintf(text, sizeof text, "%.17g", setting->high);
        ck_assert_int_eq(kl_setting_parse(setting, text, &training, &err) == KL_OK,
                         !(setting->open & KL_OPEN_HIGH));
        snprintf(text, sizeof text, "%.17g", setting->high * 2 + 1);
        ck_assert_int_eq(kl_setting_parse(setting, text, &training, &err), KL_ERR_USAGE);
        kl_setting_rule(setting, rule);
        ck_assert_ptr_nonnull(strstr(err.message, rule));
        ck_assert_str_eq(err.parameter, setting->name);
        ck_assert_int_eq(kl_setting_parse(setting, "-1", &training, &err) == KL_OK,
                         setting->low <= -1);
        ck_assert_int_eq(kl_setting_parse(setting, "", &training, &err), KL_ERR_USAGE);
        ck_assert_int_eq(kl_setting_parse(setting, "1x", &training, &err), KL_ERR_USAGE);
        ck_assert_int_eq(kl_setting_parse(setting, "nan", &training, &err), KL_ERR_USAGE);
    }
}
END_TEST

START_TEST(choices_are_named_and_no_others_taken)
{
    const struct kl_setting *setting;
    struct kl_training training = {0};
    struct kl_error err;

    kl_settings_default(&training);
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++) {
        char text[KL_VALUE_BYTES];
        const char *name;

        for (uint32_t c = (uint32_t)setting->low; setting->choice && (name = setting->choice(c));
             c++) {
            ck_ok(kl_setting_parse(setting, name, &training, &err), err);
            kl_setting_format(setting, &training, text);
            ck_assert_str_eq(text, name);
        }
        if (setting->choice)
            ck_assert_int_eq(kl_setting_parse(setting, "neither", &training, &err), KL_ERR_USAGE);
    }
}
END_TEST

MAIN("settings", every_setting_says_its_value_and_takes_it_back, numbers_keep_within_their_bounds,
     choices_are_named_and_no_others_taken)
