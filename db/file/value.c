#include "db/file/value.h"

#include <stdlib.h>
#include <string.h>

#define AT_PAGE_SIZE 16 /* in a file's first bytes */
#define AT_RESERVED 20
#define HEADER 100
#define INTERIOR 5 /* kinds of pages */
#define LEAF 13
#define LEVELS_MAX 20
#define VARINT_MAX 9 /* bytes */

/* A page, of which the last bytes may be somebody else's. */
struct page {
    const uint8_t *bytes;
    size_t size, usable;
};

/* What is read of a row: up to end. */
struct cursor {
    const uint8_t *at, *end;
};

static uint32_t two_bytes(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint32_t four_bytes(const uint8_t *bytes)
{
    return two_bytes(bytes) << 16 | two_bytes(bytes + 2);
}

/* Seven bits of each of up to nine bytes, and eight of the ninth. Returns whether it was there. */
static int take_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;

    for (int i = 0; i < VARINT_MAX && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;

        value = i + 1 == VARINT_MAX ? value << 8 | byte : value << 7 | (byte & 127);
        if (byte < 128 || i + 1 == VARINT_MAX) {
            *out = value;
            return 1;
        }
    }
    return 0;
}

static int find_page(const struct kl_mapping *mapping, uint32_t number, struct page *page)
{
    const uint8_t *file = (const uint8_t *)mapping->bytes;
    size_t size;

    if (mapping->n_bytes < HEADER)
        return 0;
    size = two_bytes(file + AT_PAGE_SIZE);
    size = size == 1 ? 65536 : size;
    if (size < 512 || size & (size - 1) || number < 2 || number > mapping->n_bytes / size)
        return 0; /* the first one has no table of ours */
    page->bytes = file + (number - 1) * size;
    page->size = size;
    page->usable = size - file[AT_RESERVED];
    return page->usable >= 480;
}

/* The cell with some number of a page whose cells' places begin at from. */
static int find_cell(const struct page *page, size_t from, uint32_t number, struct cursor *cell)
{
    size_t slot = from + 2 * (size_t)number, at;

    if (slot + 2 > page->usable)
        return 0;
    at = two_bytes(page->bytes + slot);
    cell->at = page->bytes + at;
    cell->end = page->bytes + page->usable;
    return at >= slot && at < page->usable;
}

/* The row's number in a cell, whose other one comes before it: four bytes, or a length. */
static int take_rowid(struct cursor *cell, int kind, uint64_t *other, int64_t *rowid)
{
    uint64_t number;

    if (kind == INTERIOR) {
        if (cell->end - cell->at < 4)
            return 0;
        *other = four_bytes(cell->at);
        cell->at += 4;
    } else if (!take_varint(cell, other)) {
        return 0;
    }
    if (!take_varint(cell, &number))
        return 0;
    *rowid = (int64_t)number;
    return 1;
}

/* The first of a page's cells whose row has this number or a later one: stands behind its numbers
 * then. Returns 0 if something is wrong; *is_last: there is none. */
static int search(const struct page *page, int kind, int64_t wanted, struct cursor *cell,
                  uint64_t *other, int64_t *rowid, int *is_last)
{
    size_t from = kind == INTERIOR ? 12 : 8;
    uint32_t low = 0, n = two_bytes(page->bytes + 3), high = n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (!find_cell(page, from, middle, cell) || !take_rowid(cell, kind, other, rowid))
            return 0;
        if (*rowid < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    *is_last = low == n;
    return *is_last || (find_cell(page, from, low, cell) && take_rowid(cell, kind, other, rowid));
}

/* The row's cell, at what is stored of it, and the leaf that it is on. */
static int find_row(const struct kl_mapping *mapping, uint32_t root, int64_t wanted,
                    struct page *page, struct cursor *cell, uint64_t *n_bytes)
{
    uint32_t number = root;

    for (int level = 0; level < LEVELS_MAX; level++) {
        int64_t rowid = 0;
        uint64_t other = 0;
        int is_last;

        if (!find_page(mapping, number, page))
            return 0;
        if (page->bytes[0] == LEAF) {
            *n_bytes = 0;
            return search(page, LEAF, wanted, cell, n_bytes, &rowid, &is_last) && !is_last &&
                   rowid == wanted;
        }
        if (page->bytes[0] != INTERIOR ||
            !search(page, INTERIOR, wanted, cell, &other, &rowid, &is_last))
            return 0;
        number = is_last ? four_bytes(page->bytes + 8) : (uint32_t)other;
    }
    return 0;
}

/* How many of a row's bytes are on its leaf. */
static size_t local_bytes(const struct page *page, uint64_t n_bytes)
{
    size_t most = page->usable - 35, least = (page->usable - 12) * 32 / 255 - 23, some;

    if (n_bytes <= most)
        return n_bytes;
    some = least + (n_bytes - least) % (page->usable - 4);
    return some <= most ? some : least;
}

/* Bytes of a value of a serial type, as file format 2.1 has them. */
static uint64_t value_bytes(uint64_t type)
{
    static const uint8_t bytes[12] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};

    return type < 12 ? bytes[type] : (type - 12) / 2;
}

/* Where in a row a column's blob begins, and its size. */
static int find_column(struct cursor row, unsigned column, uint64_t *at, uint64_t *n_bytes)
{
    const uint8_t *begin = row.at;
    uint64_t type, header;

    if (!take_varint(&row, &header) || header > (uint64_t)(row.end - begin))
        return 0;
    row.end = begin + header;
    for (*at = header; take_varint(&row, &type); column--) {
        *n_bytes = value_bytes(type);
        if (column == 0)
            return type >= 12 && type % 2 == 0;
        if (*n_bytes > UINT32_MAX)
            return 0;
        *at += *n_bytes;
    }
    return 0;
}

/* The part of a page's share of a row, whose bytes from at on it has, that belongs to the value. */
static enum kl_status add_piece(struct kl_value *value, uint64_t value_at, const uint8_t *bytes,
                                uint64_t at, size_t n, struct kl_error *err)
{
    size_t skipped = at < value_at ? (size_t)(value_at - at) : 0;

    if (skipped >= n)
        return KL_OK;
    if (value->n_pieces == value->room) {
        size_t room = value->room ? 2 * value->room : 16;
        struct kl_value_piece *piece = realloc(value->piece, room * sizeof *piece);

        if (!piece)
            return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read a row");
        value->piece = piece;
        value->room = room;
    }
    value->piece[value->n_pieces++] = (struct kl_value_piece){
        (const char *)bytes + skipped, (size_t)(at + skipped - value_at), n - skipped};
    return KL_OK;
}

/* Pages that were written one after the other mostly stand so, too: their first bytes, which name
 * the next one, come from memory all at once. */
static void expect_pages(const struct kl_mapping *mapping, const struct page *page,
                         uint64_t n_bytes)
{
    const uint8_t *end = (const uint8_t *)mapping->bytes + mapping->n_bytes, *bytes = page->bytes;

    for (; n_bytes > page->size && (size_t)(end - bytes) > page->size; n_bytes -= page->size)
        __builtin_prefetch(bytes += page->size);
}

enum kl_status kl_value_find(const struct kl_mapping *mapping, uint32_t root, int64_t rowid,
                             unsigned column, struct kl_value *value, int *found,
                             struct kl_error *err)
{
    struct page page;
    struct cursor cell;
    uint64_t row_bytes, value_at, n_bytes, at = 0;
    size_t here;
    enum kl_status status = KL_OK;

    *found = 0;
    value->n_pieces = 0;
    if (!find_row(mapping, root, rowid, &page, &cell, &row_bytes))
        return KL_OK;
    here = local_bytes(&page, row_bytes);
    if (here > (size_t)(cell.end - cell.at) ||
        !find_column((struct cursor){cell.at, cell.at + here}, column, &value_at, &n_bytes) ||
        n_bytes > row_bytes || value_at > row_bytes - n_bytes ||
        value_at + n_bytes > mapping->n_bytes) /* a chain that has no end */
        return KL_OK;
    row_bytes = value_at + n_bytes; /* what comes behind the value is not looked for */
    value->n_bytes = (size_t)n_bytes;
    for (const uint8_t *bytes = cell.at, *next = cell.at + here; !status;) {
        size_t n = row_bytes - at < here ? (size_t)(row_bytes - at) : here;

        status = add_piece(value, value_at, bytes, at, n, err);
        at += n;
        if (at == row_bytes)
            break;
        if (cell.end - next < 4 || !find_page(mapping, four_bytes(next), &page))
            return status;
        expect_pages(mapping, &page, at == n ? row_bytes - at : 0);
        cell.end = page.bytes + page.usable;
        next = page.bytes;
        bytes = page.bytes + 4;
        here = page.usable - 4;
    }
    *found = !status && value->n_pieces > 0;
    return status;
}

/* The piece that has byte at. */
static const struct kl_value_piece *piece_at(const struct kl_value *value, size_t at)
{
    size_t low = 0, high = value->n_pieces;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (value->piece[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return &value->piece[low];
}

void kl_value_copy(const struct kl_value *value, size_t at, size_t n, char *to)
{
    while (n > 0) {
        size_t together;
        const char *bytes = kl_value_bytes(value, at, n, &together);

        memcpy(to, bytes, together);
        to += together;
        at += together;
        n -= together;
    }
}

const char *kl_value_bytes(const struct kl_value *value, size_t at, size_t n, size_t *together)
{
    const struct kl_value_piece *piece = piece_at(value, at);
    size_t left = piece->at + piece->n_bytes - at;

    *together = left < n ? left : n;
    return piece->bytes + (at - piece->at);
}
