/* columnar/values.c - see values.h.
 *
 * Invariants: the runs' counts add up to count; text_bytes is the sum of the lengths (of the
 * dictionary's entries while is_dict); a slot of the dictionary's index is emptied only for the
 * newest entry, so linear probing never loses an older one; text has room for a byte more than it
 * holds, so that empty text has an address too. */
#include "columnar/values.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A dictionary stops paying when most values are new; that is looked at once enough were seen. */
#define DICT_TRIAL_ENTRIES 128
#define DICT_ENTRIES_MAX 65536
#define DICT_SLOTS_MIN 512
#define VEC_BYTES_MIN 256

bool values_vec_room(struct values_vec *vec, size_t bytes)
{
    if (__builtin_expect(bytes <= vec->cap, 1)) return true;
    size_t cap = PX_MAX(PX_MAX(vec->cap * 2, bytes), (size_t)VEC_BYTES_MIN);
    char *ptr = realloc(vec->ptr, cap);
    if (!ptr) return false;
    vec->ptr = ptr;
    vec->cap = cap;
    return true;
}

static int out_of_memory(const struct values *values)
{
    return px_fault(PX_F_OOM, "a column of %u values could not grow", values->count);
}

int values_start(struct values *values, enum col_type type)
{
    PX_ASSERT(type != COL_MIXED);
    values->type = type;
    values->count = values->run_count = values->dict_count = 0;
    values->text_bytes = 0;
    values->is_dict = type == COL_STRING;
    values->next = NULL;
    if (!values->is_dict) return 0;
    values->slot_count = DICT_SLOTS_MIN;
    if (!values_vec_room(&values->slots, DICT_SLOTS_MIN * sizeof(uint32_t)))
        return out_of_memory(values);
    memset(values->slots.ptr, 0, DICT_SLOTS_MIN * sizeof(uint32_t));
    return 0;
}

void values_deinit(struct values *values)
{
    free(values->fixed.ptr);
    free(values->runs.ptr);
    free(values->text.ptr);
    free(values->dict_text.ptr);
    free(values->entries.ptr);
    free(values->slots.ptr);
    *values = (struct values){0};
}

size_t values_held_bytes(const struct values *values)
{
    return values->fixed.cap + values->runs.cap + values->text.cap + values->dict_text.cap +
           values->entries.cap + values->slots.cap;
}

/* ---- rows ---- */

static struct values_run *runs_of(struct values *values)
{
    return (struct values_run *)(void *)values->runs.ptr;
}

static bool continues_run(const struct values *values, uint32_t row)
{
    if (values->run_count == 0) return false;
    const struct values_run *run = &values_runs(values)[values->run_count - 1];
    return run->row + run->count == row;
}

size_t values_row_cost(const struct values *values, uint32_t row)
{
    return continues_run(values, row) ? 0 : sizeof(struct values_run);
}

/* After everything else that can fail. */
static bool add_row(struct values *values, uint32_t row)
{
    if (__builtin_expect(continues_run(values, row), 1)) {
        runs_of(values)[values->run_count - 1].count++;
    } else {
        size_t need = (values->run_count + 1) * sizeof(struct values_run);
        if (!values_vec_room(&values->runs, need)) return false;
        runs_of(values)[values->run_count++] = (struct values_run){.row = row, .count = 1};
    }
    values->count++;
    return true;
}

/* ---- numbers ---- */

int values_add_word(struct values *values, uint32_t row, uint64_t bits)
{
    size_t at = (size_t)values->count * sizeof bits;
    if (!values_vec_room(&values->fixed, at + sizeof bits)) return out_of_memory(values);
    if (!add_row(values, row)) return out_of_memory(values);
    memcpy(values->fixed.ptr + at, &bits, sizeof bits);
    return 0;
}

int values_add_bool(struct values *values, uint32_t row, bool value)
{
    size_t at = values->count;
    if (!values_vec_room(&values->fixed, at + 1)) return out_of_memory(values);
    if (!add_row(values, row)) return out_of_memory(values);
    values->fixed.ptr[at] = value ? 1 : 0;
    return 0;
}

bool values_ints_fit_double(const struct values *values)
{
    const int64_t *ints = values_ints(values);
    bool all_fit = true;
    for (uint32_t i = 0; i < values->count; i++) all_fit &= int_fits_double(ints[i]);
    return all_fit;
}

/* ---- text ---- */

static struct values_entry *entries_of(struct values *values)
{
    return (struct values_entry *)(void *)values->entries.ptr;
}
static uint32_t *slots_of(struct values *values) { return (uint32_t *)(void *)values->slots.ptr; }
static uint32_t *lens_of(struct values *values) { return (uint32_t *)(void *)values->fixed.ptr; }

static uint32_t *dict_slot(struct values *values, uint32_t hash, struct px_str text)
{
    const struct values_entry *entries = values_entries(values);
    uint32_t *slots = slots_of(values), mask = values->slot_count - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        if (slots[at] == 0) return &slots[at];
        const struct values_entry *entry = &entries[slots[at] - 1];
        if (entry->hash != hash || entry->len != text.len) continue;
        if (text.len == 0) return &slots[at];
        if (memcmp(values->dict_text.ptr + entry->offset, text.ptr, text.len) == 0)
            return &slots[at];
    }
}

static bool dict_widen(struct values *values)
{
    uint32_t slot_count = values->slot_count * 2;
    if (!values_vec_room(&values->slots, slot_count * sizeof(uint32_t))) return false;
    values->slot_count = slot_count;
    uint32_t *slots = slots_of(values), mask = slot_count - 1;
    memset(slots, 0, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < values->dict_count; i++) {
        uint32_t at = values_entries(values)[i].hash & mask;
        while (slots[at] != 0) at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    return true;
}

/* A new entry; the caller fills the slot. */
static bool dict_add(struct values *values, uint32_t hash, struct px_str text)
{
    size_t entry_bytes = (values->dict_count + 1) * sizeof(struct values_entry);
    if (!values_vec_room(&values->entries, entry_bytes)) return false;
    if (!values_vec_room(&values->dict_text, values->text_bytes + text.len + 1)) return false;
    if (text.len) memcpy(values->dict_text.ptr + values->text_bytes, text.ptr, text.len);
    entries_of(values)[values->dict_count++] = (struct values_entry){
        .offset = (uint32_t)values->text_bytes,
        .len = (uint32_t)text.len,
        .hash = hash,
        .first = values->count,
    };
    values->text_bytes += text.len;
    return true;
}

/* From codes to lengths and bytes. */
static bool dict_leave(struct values *values)
{
    const struct values_entry *entries = values_entries(values);
    uint32_t *codes = lens_of(values);
    size_t bytes = 0, at = 0;
    for (uint32_t i = 0; i < values->count; i++) bytes += entries[codes[i]].len;
    if (!values_vec_room(&values->text, bytes + 1)) return false;
    for (uint32_t i = 0; i < values->count; i++) {
        const struct values_entry *entry = &entries[codes[i]];
        if (entry->len)
            memcpy(values->text.ptr + at, values->dict_text.ptr + entry->offset, entry->len);
        at += entry->len;
        codes[i] = entry->len;
    }
    values->text_bytes = bytes;
    values->is_dict = false;
    return true;
}

static bool dict_pays(const struct values *values)
{
    if (values->dict_count < DICT_TRIAL_ENTRIES) return true;
    return values->dict_count < DICT_ENTRIES_MAX && values->dict_count <= values->count / 2;
}

static int add_code(struct values *values, uint32_t row, struct px_str text)
{
    uint32_t hash = (uint32_t)XXH3_64bits(text.ptr, text.len);
    uint32_t *slot = dict_slot(values, hash, text);
    bool is_new = *slot == 0;
    if (is_new) {
        if (!dict_add(values, hash, text)) return out_of_memory(values);
        *slot = values->dict_count;
    }
    lens_of(values)[values->count] = *slot - 1;
    if (!add_row(values, row)) return out_of_memory(values);
    if (is_new && values->dict_count * 2 > values->slot_count && !dict_widen(values))
        return out_of_memory(values);
    return 0;
}

int values_add_text(struct values *values, uint32_t row, struct px_str text)
{
    size_t fixed_bytes = ((size_t)values->count + 1) * sizeof(uint32_t);
    if (!values_vec_room(&values->fixed, fixed_bytes)) return out_of_memory(values);
    if (values->is_dict && !dict_pays(values) && !dict_leave(values)) return out_of_memory(values);
    if (values->is_dict) return add_code(values, row, text);

    if (!values_vec_room(&values->text, values->text_bytes + text.len + 1))
        return out_of_memory(values);
    if (!add_row(values, row)) return out_of_memory(values);
    lens_of(values)[values->count - 1] = (uint32_t)text.len;
    if (text.len) memcpy(values->text.ptr + values->text_bytes, text.ptr, text.len);
    values->text_bytes += text.len;
    return 0;
}

/* ---- taking back ---- */

static void pop_text(struct values *values)
{
    uint32_t last = lens_of(values)[values->count];
    if (!values->is_dict) {
        values->text_bytes -= last;
        return;
    }
    const struct values_entry *entry = &values_entries(values)[last];
    if (entry->first != values->count) return;
    struct px_str text = px_str(values->dict_text.ptr + entry->offset, entry->len);
    *dict_slot(values, entry->hash, text) = 0;
    values->text_bytes -= entry->len;
    values->dict_count--;
}

void values_pop(struct values *values)
{
    PX_ASSERT(values->count > 0 && values->run_count > 0);
    values->count--;
    if (--runs_of(values)[values->run_count - 1].count == 0) values->run_count--;
    if (col_type_is_text(values->type)) pop_text(values);
}

struct px_str values_cursor_text(struct values_cursor *cursor, uint32_t index)
{
    const struct values *values = cursor->values;
    uint32_t len_or_code = values_lens(values)[index];
    if (values->is_dict) {
        const struct values_entry *entry = &values_entries(values)[len_or_code];
        return px_str(values->dict_text.ptr + entry->offset, entry->len);
    }
    struct px_str text = px_str(values->text.ptr + cursor->text_offset, len_or_code);
    cursor->text_offset += len_or_code;
    return text;
}
