#include "api/figures/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "core/base/unicode.h"
#include "core/base/utf8.h"

#define SANS "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
#define MONO "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"

const char *kl_class_colour(uint32_t class)
{
    static const char *const colours[] = {"#c27c0e", "#2a8fc7", "#0c8a68", "#a99508", "#2a5fa5",
                                          "#c2501b", "#b0609a", "#77736b", "#7257b8", "#5f9128"};

    return colours[class % (sizeof colours / sizeof colours[0])];
}

void kl_svg_begin(struct kl_svg *svg, double width)
{
    *svg = (struct kl_svg){.width = width};
    svg->body = open_memstream(&svg->text, &svg->n_bytes);
}

/* XML (section 2.2) has no place for control characters, U+FFFE and U+FFFF, escaped or not, nor for
 * half a character, such as a buffer's end may leave. */
static void put_escaped(FILE *file, const char *text, size_t n_bytes)
{
    size_t length;

    for (size_t i = 0; i < n_bytes && text[i]; i += length ? length : 1) {
        length = kl_utf8_character(text + i);
        if (text[i] == '&')
            fputs("&amp;", file);
        else if (text[i] == '<')
            fputs("&lt;", file);
        else if (text[i] == '>')
            fputs("&gt;", file);
        else if (text[i] == '"')
            fputs("&quot;", file);
        else if (length == 1 && (unsigned char)text[i] < 0x20)
            putc(' ', file);
        else if (length == 0 || i + length > n_bytes || !strncmp(text + i, "\xef\xbf\xbe", 3) ||
                 !strncmp(text + i, "\xef\xbf\xbf", 3))
            fputs("\xef\xbf\xbd", file);
        else
            fwrite(text + i, 1, length, file);
    }
}

static void begin_text(struct kl_svg *svg, struct kl_letters letters)
{
    static const char *const anchors[] = {"start", "middle", "end"};

    fprintf(svg->body, " font-size=\"%.4g\" fill=\"%s\"", letters.size, letters.colour);
    if (letters.anchor != KL_START)
        fprintf(svg->body, " text-anchor=\"%s\"", anchors[letters.anchor]);
    if (letters.is_bold)
        fputs(" font-weight=\"bold\"", svg->body);
    if (letters.is_mono)
        fputs(" font-family=\"" MONO "\"", svg->body);
    fputs(" xml:space=\"preserve\">", svg->body);
}

static void put_text(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                     const char *text, size_t n_bytes, const char *end)
{
    if (!svg->body)
        return;
    fprintf(svg->body, "<text x=\"%.6g\" y=\"%.6g\"", x, y);
    begin_text(svg, letters);
    put_escaped(svg->body, text, n_bytes);
    fprintf(svg->body, "%s</text>\n", end);
}

void kl_svg_text(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                 const char *text)
{
    put_text(svg, x, y, letters, text, strlen(text), "");
}

void kl_svg_text_fit(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                     const char *text, int columns)
{
    if (kl_unicode_columns(text) <= columns)
        kl_svg_text(svg, x, y, letters, text);
    else
        put_text(svg, x, y, letters, text, kl_unicode_fit(text, columns - 1), "\xe2\x80\xa6");
}

void kl_svg_text_up(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                    const char *text)
{
    if (!svg->body)
        return;
    fprintf(svg->body, "<text transform=\"translate(%.6g %.6g) rotate(-90)\"", x, y);
    begin_text(svg, letters);
    put_escaped(svg->body, text, strlen(text));
    fputs("</text>\n", svg->body);
}

int kl_svg_paragraph(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                     double leading, int columns, const char *text)
{
    int n = 0;

    while (*text) {
        size_t length =
            kl_unicode_columns(text) <= columns ? strlen(text) : kl_unicode_fit(text, columns);
        size_t cut = length;

        if (text[length]) {
            while (cut > 1 && text[cut] != ' ')
                cut--;
            cut = cut > 1 ? cut : length;
        }
        if (cut == 0) /* nothing fits: at least it goes on */
            cut = strlen(text);
        put_text(svg, x, y + n++ * leading, letters, text, cut, "");
        text += cut;
        while (*text == ' ')
            text++;
    }
    return n;
}

void kl_svg_rect(struct kl_svg *svg, double x, double y, double width, double height, double radius,
                 const char *colour, double opacity)
{
    if (!svg->body || !(width > 0) || !(height > 0))
        return;
    fprintf(svg->body, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" fill=\"%s\"", x,
            y, width, height, colour);
    if (radius > 0)
        fprintf(svg->body, " rx=\"%.4g\"", radius);
    if (opacity < 1)
        fprintf(svg->body, " fill-opacity=\"%.3g\"", opacity);
    fputs("/>\n", svg->body);
}

void kl_svg_line(struct kl_svg *svg, double x1, double y1, double x2, double y2, const char *colour,
                 double width)
{
    if (svg->body)
        fprintf(svg->body,
                "<line x1=\"%.6g\" y1=\"%.6g\" x2=\"%.6g\" y2=\"%.6g\" stroke=\"%s\" "
                "stroke-width=\"%.3g\"/>\n",
                x1, y1, x2, y2, colour, width);
}

void kl_svg_curve(struct kl_svg *svg, uint32_t n, const double *x, const double *y,
                  const char *colour, double width)
{
    int is_begun = 0;

    if (!svg->body)
        return;
    fprintf(svg->body,
            "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%.3g\" stroke-linejoin=\"round\" "
            "d=\"",
            colour, width);
    for (uint32_t i = 0; i < n; i++) {
        if (isfinite(x[i]) && isfinite(y[i]))
            fprintf(svg->body, "%s%.2f %.2f", is_begun ? "L" : "M", x[i], y[i]);
        is_begun = isfinite(x[i]) && isfinite(y[i]);
    }
    fputs("\"/>\n", svg->body);
}

void kl_svg_image(struct kl_svg *svg, double x, double y, double width, double height,
                  const uint8_t *png, size_t n_bytes, const char *alternative)
{
    if (!svg->body)
        return;
    fprintf(svg->body,
            "<image x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" "
            "style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,",
            x, y, width, height);
    kl_base64_put(svg->body, png, n_bytes);
    fputs("\"><title>", svg->body);
    put_escaped(svg->body, alternative, strlen(alternative));
    fputs("</title></image>\n", svg->body);
}

enum kl_status kl_svg_end(struct kl_svg *svg, double height, const char *title, char **text,
                          size_t *n_bytes, struct kl_error *err)
{
    char *whole = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&whole, &n);
    int failed = !svg->body || !file;

    if (svg->body) {
        failed |= ferror(svg->body);
        failed |= fclose(svg->body);
    }
    if (!failed) {
        fprintf(file,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" "
                "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%.6g\" height=\"%.6g\" "
                "viewBox=\"0 0 %.6g %.6g\" font-family=\"" SANS "\" role=\"img\">\n<title>",
                svg->width, height, svg->width, height);
        put_escaped(file, title, strlen(title));
        fprintf(file, "</title>\n<rect width=\"%.6g\" height=\"%.6g\" fill=\"#ffffff\"/>\n",
                svg->width, height);
        fwrite(svg->text, 1, svg->n_bytes, file);
        fputs("</svg>\n", file);
        failed |= ferror(file);
    }
    if (file)
        failed |= fclose(file);
    free(svg->text);
    *svg = (struct kl_svg){0};
    if (failed) {
        free(whole);
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a figure");
    }
    *text = whole;
    *n_bytes = n;
    return KL_OK;
}
