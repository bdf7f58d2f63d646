#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* What a file or a library says may have lines; a message is one. */
static void set_message(struct kl_error *err, const char *format, va_list args)
{
    vsnprintf(err->message, sizeof err->message, format, args);
    for (char *at = err->message; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}

enum kl_status kl_fail(struct kl_error *err, enum kl_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err->status = status;
    err->parameter[0] = '\0';
    set_message(err, format, args);
    va_end(args);
    return status;
}

enum kl_status kl_fail_on(struct kl_error *err, enum kl_status status, const char *parameter,
                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err->status = status;
    snprintf(err->parameter, sizeof err->parameter, "%s", parameter);
    set_message(err, format, args);
    va_end(args);
    return status;
}
