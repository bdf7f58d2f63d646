#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum kl_status kl_fail(struct kl_error *err, enum kl_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err->status = status;
    err->is_told = 0;
    err->parameter[0] = '\0';
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

enum kl_status kl_fail_on(struct kl_error *err, enum kl_status status, const char *parameter,
                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err->status = status;
    err->is_told = 0;
    snprintf(err->parameter, sizeof err->parameter, "%s", parameter);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}
