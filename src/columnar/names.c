/* columnar/names.c - see names.h. */
#include "columnar/names.h"

#include <aws/common/encoding.h>

#include "columnar/type.h"

static unsigned char fold(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

bool name_is_valid(struct px_str name)
{
    if (name.len == 0 || name.len > COL_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7F) return false;
        bool is_c1 = c == 0xC2 && i + 1 < name.len && (unsigned char)name.ptr[i + 1] < 0xA0;
        if (is_c1) return false;
    }
    struct aws_byte_cursor bytes = aws_byte_cursor_from_array(name.ptr, name.len);
    return aws_decode_utf8(bytes, NULL) == AWS_OP_SUCCESS;
}

bool name_eq(struct px_str a, struct px_str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold(a.ptr[i]) != fold(b.ptr[i])) return false;
    return true;
}

/* FNV-1a over the folded bytes: names are short, and this needs no copy of them. The top bits are
 * mixed down because the slots use the low ones. */
uint32_t name_hash(struct px_str name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.len; i++) {
        hash ^= fold(name.ptr[i]);
        hash *= UINT64_C(0x100000001b3);
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t *name_index_slot(const struct name_index *index, struct px_str name)
{
    uint32_t mask = index->slot_count - 1;
    for (uint32_t at = name_hash(name) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &index->slots[at];
        if (*slot == 0 || name_eq(index->name_at(index->holder, *slot - 1), name)) return slot;
    }
}

uint32_t name_index_slots_for(uint32_t count)
{
    uint32_t slots = 16;
    while (slots / 2 <= count) slots *= 2;
    return slots;
}
