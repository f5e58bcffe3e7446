/* columnar/frame_open.c - header and directory of a frame, without trust: every length is compared
 * with what is there before it is used. */
#include "columnar/frame_layout.h"
#include "columnar/names.h"
#include "columnar/pack.h"

#define corrupt(what) px_fault(PX_F_CORRUPT, "frame: %s", (what))

static int open_header(struct px_str *rest, struct frame_disk_header *ret_header)
{
    struct frame_disk_header disk;
    if (!take_bytes(rest, &disk, sizeof disk)) return corrupt("shorter than its header");
    if (disk.magic != FRAME_MAGIC) return corrupt("no magic number");
    if (disk.version != FRAME_VERSION || disk.header_bytes != sizeof disk)
        return corrupt("version is not known");
    if (disk.rows > FRAME_ROWS_MAX) return corrupt("too many rows");
    if (disk.columns == 0 || disk.columns > FRAME_COLUMNS_MAX) return corrupt("number of columns");
    if (disk.directory_bytes > rest->len) return corrupt("directory past the end");
    if (disk.directory_bytes / sizeof(struct frame_disk_column) < disk.columns)
        return corrupt("directory too short for its columns");
    *ret_header = disk;
    return 0;
}

static bool encoding_suits(enum frame_encoding encoding, enum col_type type)
{
    switch (encoding) {
    case FRAME_BITS: return type == COL_BOOL;
    case FRAME_INTS: return type == COL_INT || type == COL_TIME;
    case FRAME_DECIMAL:
    case FRAME_DOUBLES: return type == COL_DOUBLE;
    case FRAME_TEXT: return type == COL_STRING || type == COL_JSON || type == COL_MIXED;
    case FRAME_DICT:
    case FRAME_HEX: return type == COL_STRING;
    }
    return false;
}

/* Only text takes more than eight bytes a value, its bit in the row bitmap and a few bytes of
 * head. */
static bool raw_size_is_sound(const struct frame_disk_column *entry, uint32_t rows)
{
    bool is_text = encoding_suits(FRAME_TEXT, (enum col_type)entry->type);
    return entry->raw_bytes <= (is_text ? FRAME_BLOCK_RAW_MAX : rows * 9u + 64);
}

static bool entry_is_sound(const struct frame_disk_column *entry, uint32_t rows)
{
    if (entry->type < COL_BOOL || entry->type > COL_MIXED) return false;
    if (!encoding_suits((enum frame_encoding)entry->encoding, (enum col_type)entry->type))
        return false;
    if (entry->flags & ~FRAME_FLAGS_ALL || entry->codec > FRAME_ZSTD) return false;
    if (entry->codec == FRAME_STORED && entry->raw_bytes != entry->block_bytes) return false;
    return raw_size_is_sound(entry, rows);
}

/* One directory entry. *block_offset moves on; blocks follow one another without gaps. */
static int open_column(struct px_str *directory, const struct frame *frame, size_t *block_offset,
                       struct frame_column *ret_column)
{
    struct frame_disk_column disk;
    if (!take_bytes(directory, &disk, sizeof disk)) return corrupt("directory cut off");
    if (!entry_is_sound(&disk, frame->header.rows)) return corrupt("directory entry");
    struct px_str name = px_str(directory->ptr, disk.name_bytes);
    if (name.len > directory->len || !name_is_valid(name)) return corrupt("column name");
    *directory = px_str_skip(*directory, name.len);
    if (disk.block_bytes > frame->payload.len - *block_offset) return corrupt("block past the end");
    *ret_column = (struct frame_column){
        .name = name,
        .type = (enum col_type)disk.type,
        .has_nulls = disk.flags & FRAME_HAS_NULLS,
        .has_big_ints = disk.flags & FRAME_BIG_INTS,
        .block_offset = (uint32_t)*block_offset,
        .block_bytes = disk.block_bytes,
        .raw_bytes = disk.raw_bytes,
        .encoding = disk.encoding,
        .codec = disk.codec,
    };
    *block_offset += disk.block_bytes;
    return 0;
}

static struct px_str name_at(const void *columns, uint32_t number)
{
    return ((const struct frame_column *)columns)[number].name;
}

static struct name_index index_of(const struct frame *frame)
{
    /* the index only reads, its type serves builders too */
    uint32_t *slots = (uint32_t *)(uintptr_t)frame->slots;
    return (struct name_index){slots, frame->slot_count, name_at, frame->columns};
}

static int index_names(struct frame *frame, struct px_arena *arena)
{
    frame->slot_count = name_index_slots_for(frame->header.columns);
    frame->slots = px_arena_array(arena, uint32_t, frame->slot_count);
    if (!frame->slots) return frame_no_room(arena);
    struct name_index index = index_of(frame);
    for (uint32_t i = 0; i < frame->header.columns; i++) {
        uint32_t *slot = name_index_slot(&index, frame->columns[i].name);
        if (*slot != 0) return corrupt("two columns of one name");
        *slot = i + 1;
    }
    return 0;
}

static int open_directory(const struct frame_disk_header *disk, struct px_str directory,
                          struct px_arena *arena, struct frame *frame)
{
    struct frame_column *columns = px_arena_array(arena, struct frame_column, disk->columns);
    if (!columns) return frame_no_room(arena);
    size_t block_offset = sizeof *disk + disk->directory_bytes;
    for (uint32_t i = 0; i < disk->columns; i++)
        PX_TRY(open_column(&directory, frame, &block_offset, &columns[i]));
    if (directory.len != 0) return corrupt("directory longer than its columns");
    if (block_offset != frame->payload.len) return corrupt("bytes behind the last block");
    bool time_is_first = px_str_eq(columns[0].name, S(COL_TIME_NAME)) &&
                         columns[0].type == COL_TIME && !columns[0].has_nulls;
    if (!time_is_first) return corrupt("the first column is not `time`");
    frame->columns = columns;
    return 0;
}

int frame_open(struct px_str payload, struct px_arena *arena, struct frame *ret_frame)
{
    struct px_str rest = payload;
    struct frame_disk_header disk;
    if (payload.len > UINT32_MAX) return corrupt("larger than 4 GiB");
    PX_TRY(open_header(&rest, &disk));
    struct frame frame = {.payload = payload};
    frame.header = (struct frame_header){
        .rows = disk.rows,
        .columns = disk.columns,
        .time_min_us = disk.time_min_us,
        .time_max_us = disk.time_max_us,
        .accepted_ns = disk.accepted_ns,
    };
    memcpy(frame.header.request_id, disk.request_id, sizeof disk.request_id);
    PX_TRY(open_directory(&disk, px_str(rest.ptr, disk.directory_bytes), arena, &frame));
    PX_TRY(index_names(&frame, arena));
    *ret_frame = frame;
    return 0;
}

int frame_find(const struct frame *frame, struct px_str name)
{
    struct name_index index = index_of(frame);
    return (int)*name_index_slot(&index, name) - 1;
}
