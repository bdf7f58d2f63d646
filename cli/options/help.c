#include "cli/options/help.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 79  /* columns of a terminal that everybody has */
#define COLUMN 26 /* where what an option does begins */

const char *kl_flat_name(const struct kl_flat_option *option)
{
    return option->setting ? option->setting->flag : option->option->name;
}

/* Prints words from column on, indented to indent where a line is full; lines in the text end where
 * they end. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " \n");

        if (column + length > WIDTH && column > indent) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        }
        printf("%.*s", (int)length, word);
        column += length;
        word += length;
        if (*word == '\n') {
            printf("\n%*s", word[1] ? (int)indent : 0, "");
            column = indent;
            word++;
        } else if (*word == ' ') {
            word++;
            if (column + 1 + strcspn(word, " \n") <= WIDTH) {
                putchar(' ');
                column++;
            } else {
                column = WIDTH + 1; /* the next word begins a line */
            }
        }
    }
    putchar('\n');
}

/* What stands for an option's value: its own word, or its choices. */
static void value_of(const struct kl_flat_option *option, char *text, size_t n_bytes)
{
    const struct kl_setting *setting = option->setting;
    const char *value = setting ? setting->value : option->option->value;
    size_t used = 0;

    text[0] = '\0';
    if (value) {
        snprintf(text, n_bytes, "%s", value);
    } else if (setting && setting->choice) {
        for (uint32_t i = (uint32_t)setting->low; setting->choice(i) && used < n_bytes; i++)
            used += (size_t)snprintf(text + used, n_bytes - used, "%s%s", used ? "|" : "",
                                     setting->choice(i));
        if (used > 24) /* the sentence names them */
            snprintf(text, n_bytes, "NAME");
    }
}

static const char *help_of(const struct kl_flat_option *option)
{
    return option->setting ? option->setting->help : option->option->help;
}

static void print_row(const char *name, const char *value, const char *help)
{
    int n = printf("  --%s%s%s", name, *value ? " " : "", value);

    if (n + 2 > COLUMN)
        printf("\n%*s", COLUMN, "");
    else
        printf("%*s", COLUMN - n, "");
    print_wrapped(help, COLUMN, COLUMN);
}

/* The command of an example, and the example after it. */
static const char *command_of(const char *example)
{
    return example + strcspn(example, "\n") + 1;
}

static const char *next_example(const char *example)
{
    const char *command = command_of(example);

    return command + strcspn(command, "\n") + 1;
}

static void print_text(const struct kl_options *options, const struct kl_flat_options *flat)
{
    char value[64];

    for (const char *line = options->usage; *line;) {
        size_t length = strcspn(line, "\n");

        printf("%s keylight %.*s\n", line == options->usage ? "usage:" : "      ", (int)length,
               line);
        line += length + (line[length] == '\n');
    }
    putchar('\n');
    print_wrapped(options->about, 0, 0);
    putchar('\n');
    for (size_t i = 0; i < flat->n; i++) {
        const struct kl_flat_option *option = &flat->list[i];

        if (option->option->type == KL_OPTION_HEADING) {
            printf("\n%s\n", option->option->help);
            continue;
        }
        value_of(option, value, sizeof value);
        print_row(kl_flat_name(option), value, help_of(option));
    }
    print_row("help, --version", "", "this text; the version");
    printf("\nExamples:\n");
    for (const char *line = options->examples; *line; line = next_example(line))
        printf("  %.*s\n      %.*s\n", (int)strcspn(line, "\n"), line,
               (int)strcspn(command_of(line), "\n"), command_of(line));
}

/* Text of a man page, n bytes of it: dashes are typed, a point does not begin a line. */
static void print_roff_of(const char *text, size_t n)
{
    const char *end = text + n;

    if (n && (*text == '.' || *text == '\''))
        printf("\\&");
    for (; text < end; text++) {
        if (*text == '\n' && text + 1 < end && text[1] == '\n') { /* another paragraph */
            printf("\n.PP\n");
            text++;
            continue;
        }
        if (*text == '\n') {
            printf("\n.br\n%s", text[1] == '.' || text[1] == '\'' ? "\\&" : "");
            continue;
        }
        if (*text == '-' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void print_roff(const char *text)
{
    print_roff_of(text, strlen(text));
}

/* SYNOPSIS and DESCRIPTION. */
static void print_man_head(const struct kl_options *options)
{
    printf(".SH SYNOPSIS\n");
    for (const char *line = options->usage; *line;) {
        size_t length = strcspn(line, "\n"), word = strcspn(line, " ");

        printf(line == options->usage ? ".B keylight " : ".br\n.B keylight ");
        print_roff_of(line, word < length ? word : length);
        putchar('\n');
        if (word < length)
            print_roff_of(line + word + 1, length - word - 1);
        putchar('\n');
        line += length + (line[length] == '\n');
    }
    printf(".SH DESCRIPTION\n");
    print_roff(options->about);
    putchar('\n');
}

static void print_man_examples(const struct kl_options *options)
{
    printf(".SH EXAMPLES\n");
    for (const char *line = options->examples; *line; line = next_example(line)) {
        printf(".TP\n");
        print_roff_of(line, strcspn(line, "\n"));
        printf("\n.B ");
        print_roff_of(command_of(line), strcspn(command_of(line), "\n"));
        putchar('\n');
    }
}

static void print_man(const struct kl_options *options, const struct kl_flat_options *flat)
{
    char value[64];

    print_man_head(options);
    printf(".SH OPTIONS\n");
    for (size_t i = 0; i < flat->n; i++) {
        const struct kl_flat_option *option = &flat->list[i];

        if (option->option->type == KL_OPTION_HEADING) {
            printf(".PP\n");
            print_roff(option->option->help);
            putchar('\n');
            continue;
        }
        value_of(option, value, sizeof value);
        printf(".TP\n.BR \\-\\-");
        print_roff(kl_flat_name(option));
        if (*value) {
            printf(" \" \\fI");
            print_roff(value);
            printf("\\fR\"");
        }
        putchar('\n');
        print_roff(help_of(option));
        printf("\n");
    }
    print_man_examples(options);
}

/* A line an option, with what it does up to a semicolon or line break; - stands for no value. */
static void print_words(const struct kl_flat_options *flat)
{
    for (size_t i = 0; i < flat->n; i++) {
        const struct kl_flat_option *option = &flat->list[i];
        const struct kl_setting *setting = option->setting;
        const char *(*choice)(uint32_t) = setting ? setting->choice : option->option->choice;
        const char *value = setting ? setting->value : option->option->value, *end;

        if (option->option->type == KL_OPTION_HEADING)
            continue;
        printf("--%s\t", kl_flat_name(option));
        for (uint32_t c = setting ? (uint32_t)setting->low : 0; choice && choice(c); c++)
            printf("%s%s", choice(c), choice(c + 1) ? "|" : "");
        end = strpbrk(help_of(option), "\n;");
        printf("%s\t%.*s\n",
               choice  ? ""
               : value ? value
                       : "-",
               end ? (int)(end - help_of(option)) : (int)strlen(help_of(option)), help_of(option));
    }
}

int kl_help_format_parse(const char *text, enum kl_help_format *format)
{
    static const char *const words[] = {"", "=man", "=words"};

    for (int i = 0; i < 3; i++)
        if (!strcmp(text, words[i])) {
            *format = (enum kl_help_format)i;
            return 0;
        }
    return -1;
}

void kl_options_print(const struct kl_options *options, const struct kl_flat_options *flat,
                      enum kl_help_format format)
{
    switch (format) {
    case KL_HELP_TEXT:
        print_text(options, flat);
        break;
    case KL_HELP_MAN:
        print_man(options, flat);
        break;
    case KL_HELP_WORDS:
        print_words(flat);
        break;
    }
}
