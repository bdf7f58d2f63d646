#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>

enum kl_status kl_fail(struct kl_error *err, enum kl_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err->status = status;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}
