/* asl/functions_text.c - the intrinsic functions of text. */
#include "asl/functions.h"

#include <aws/common/byte_buf.h>
#include <aws/common/encoding.h>

#include "asl/digest.h"
#include "asl/text.h"

/* Developer guide, States.Base64Encode, States.Base64Decode and States.Hash: at most 10,000 characters. */
#define INPUT_CHARACTERS_MAX 10000u
#define PRINT_DEPTH_MAX 1000u

static struct px_arena *arena_of(const struct call_args *args)
{
    return args->scope->values->arena;
}
static int fault_of(const struct call_args *args) { return px_arena_fault(arena_of(args)); }

/* A text that is in the arena. */
static int new_text(struct call_args *args, struct px_str text, yyjson_mut_val **ret_value)
{
    *ret_value = yyjson_mut_strn(args->scope->values->doc, text.ptr ? text.ptr : "", text.len);
    return *ret_value ? 0 : fault_of(args);
}

static size_t characters(struct px_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) n += ((unsigned char)text.ptr[i] & 0xC0u) != 0x80u;
    return n;
}

/* ---- States.Format ---- */

/* As Java prints maps and lists: {Arg1=1, Arg2=[a, b]}. */
static bool print(struct asl_text_buf *buf, struct asl_values *values, yyjson_mut_val *value,
                  unsigned depth)
{
    struct px_str text = asl_value_str(value);
    size_t i, n;
    yyjson_mut_val *name, *each;
    if (depth > PRINT_DEPTH_MAX) return false;
    if (text.ptr) {
        asl_text_add(buf, text);
    } else if (yyjson_mut_is_obj(value)) {
        asl_text_add(buf, S("{"));
        yyjson_mut_obj_foreach(value, i, n, name, each)
        {
            if (i > 0) asl_text_add(buf, S(", "));
            asl_text_add(buf, asl_value_str(name));
            asl_text_add(buf, S("="));
            if (!print(buf, values, each, depth + 1)) return false;
        }
        asl_text_add(buf, S("}"));
    } else if (yyjson_mut_is_arr(value)) {
        asl_text_add(buf, S("["));
        yyjson_mut_arr_foreach(value, i, n, each)
        {
            if (i > 0) asl_text_add(buf, S(", "));
            if (!print(buf, values, each, depth + 1)) return false;
        }
        asl_text_add(buf, S("]"));
    } else {
        int r = asl_value_write(values, value, &text);
        if (r < 0) buf->failed = true;
        if (r > 0) return false;
        asl_text_add(buf, text);
    }
    return true;
}

static bool is_reserved(char c) { return c == '\'' || c == '{' || c == '}' || c == '\\'; }

/* The bytes up to the next {} with escapes resolved. False: a { alone. */
static bool format_part(struct px_str *rest, struct asl_text_buf *buf, bool *ret_hole)
{
    size_t i = 0, from = 0;
    *ret_hole = false;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c != '\\' && c != '{') continue;
        asl_text_add(buf, px_str(rest->ptr + from, i - from));
        if (c == '{') {
            if (i + 1 == rest->len || rest->ptr[i + 1] != '}') return false;
            *ret_hole = true;
            *rest = px_str_skip(*rest, i + 2);
            return true;
        }
        from = i;
        if (i + 1 < rest->len && is_reserved(rest->ptr[i + 1])) {
            from = i + 1;
            i++;
        }
    }
    asl_text_add(buf, px_str(rest->ptr + from, rest->len - from));
    *rest = px_str_skip(*rest, rest->len);
    return true;
}

int call_format(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str rest = asl_value_str(args->list[0]);
    struct asl_text_buf buf = {.arena = arena_of(args)};
    size_t used = 1;
    bool hole;
    if (!rest.ptr) return ASL_FAILED;
    do {
        if (!format_part(&rest, &buf, &hole)) {
            args->what = "Invalid template";
            args->why = "matching '}' not found for '{'.";
            return ASL_FAILED;
        }
        if (hole && used < args->count && !print(&buf, args->scope->values, args->list[used], 0))
            return ASL_FAILED;
        used += hole;
    } while (hole);
    if (used != args->count) {
        args->why = "number of arguments do not match the occurrences of {}.";
        return ASL_FAILED;
    }
    return buf.failed ? fault_of(args) : new_text(args, asl_text_of(&buf), ret_value);
}

/* ---- JSON ---- */

int call_string_to_json(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str text = asl_value_str(args->list[0]);
    if (!text.ptr) return ASL_FAILED;
    if (px_str_trim(text).len == 0) { /* recorded: blanks alone are null */
        *ret_value = yyjson_mut_null(args->scope->values->doc);
        return *ret_value ? 0 : fault_of(args);
    }
    int r = asl_value_parse(args->scope->values, text, ret_value, NULL);
    return r == ASL_INVALID ? ASL_FAILED : r;
}

int call_json_to_string(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str text;
    int r = asl_value_write(args->scope->values, args->list[0], &text);
    if (r == ASL_INVALID) return ASL_FAILED;
    PX_TRY(r);
    return new_text(args, text, ret_value);
}

/* ---- bytes ---- */

int call_base64_encode(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str text = asl_value_str(args->list[0]);
    if (!text.ptr || characters(text) > INPUT_CHARACTERS_MAX) return ASL_FAILED;
    size_t len = (text.len + 2) / 3 * 4;
    char *out = px_arena_alloc(arena_of(args), len + 1); /* the library ends it with a NUL */
    if (!out) return fault_of(args);
    struct aws_byte_cursor in = aws_byte_cursor_from_array(text.ptr, text.len);
    struct aws_byte_buf buf = aws_byte_buf_from_empty_array(out, len + 1);
    if (aws_base64_encode(&in, &buf)) return px_fault(PX_F_BUG, "base64 of %zu bytes", text.len);
    return new_text(args, px_str(out, len), ret_value);
}

/* What is no UTF-8 becomes U+FFFD, as Java's String does it. */
static int utf8_of(struct call_args *args, struct px_str bytes, struct px_str *ret_text)
{
    struct asl_text_buf buf = {.arena = arena_of(args)};
    while (bytes.len > 0) {
        size_t n = 1, max = PX_MIN(bytes.len, (size_t)4);
        while (n <= max && !px_utf8_ok(px_str(bytes.ptr, n))) n++;
        asl_text_add(&buf, n <= max ? px_str(bytes.ptr, n) : S("\xEF\xBF\xBD"));
        bytes = px_str_skip(bytes, n <= max ? n : 1);
    }
    *ret_text = asl_text_of(&buf);
    return buf.failed ? fault_of(args) : 0;
}

int call_base64_decode(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str text = asl_value_str(args->list[0]);
    if (!text.ptr || characters(text) > INPUT_CHARACTERS_MAX) return ASL_FAILED;
    struct aws_byte_cursor in = aws_byte_cursor_from_array(text.ptr, text.len);
    size_t len = 0;
    if (aws_base64_compute_decoded_len(&in, &len)) return ASL_FAILED;
    char *out = px_arena_alloc(arena_of(args), len);
    if (!out) return fault_of(args);
    struct aws_byte_buf buf = aws_byte_buf_from_empty_array(out, len);
    if (len > 0 && aws_base64_decode(&in, &buf)) return ASL_FAILED;
    struct px_str decoded = px_str(out, len);
    if (!px_utf8_ok(decoded)) PX_TRY(utf8_of(args, decoded, &decoded));
    return new_text(args, decoded, ret_value);
}

int call_hash(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str text = asl_value_str(args->list[0]), name = asl_value_str(args->list[1]);
    if (!text.ptr || characters(text) > INPUT_CHARACTERS_MAX) return ASL_FAILED;
    char *hex = px_arena_alloc(arena_of(args), ASL_DIGEST_HEX_BYTES);
    if (!hex) return fault_of(args);
    if (asl_digest(text, name, hex) != 0) return ASL_FAILED;
    return new_text(args, px_str_c(hex), ret_value);
}

/* ---- States.StringSplit ---- */

static size_t character_bytes(struct px_str text)
{
    size_t n = 1;
    while (n < text.len && ((unsigned char)text.ptr[n] & 0xC0u) == 0x80u) n++;
    return n;
}

/* As java.util.StringTokenizer: each character splits, nothing between two is nothing. */
int call_string_split(struct call_args *args, yyjson_mut_val **ret_value)
{
    struct px_str rest = asl_value_str(args->list[0]), splitters = asl_value_str(args->list[1]);
    if (!rest.ptr || !splitters.ptr) return ASL_FAILED;
    yyjson_mut_val *array = yyjson_mut_arr(args->scope->values->doc), *part;
    if (!array) return fault_of(args);
    size_t len = 0;
    while (true) {
        struct px_str left = px_str_skip(rest, len);
        size_t n = left.len ? character_bytes(left) : 0;
        bool splits = n == 0 ||
                      (splitters.len && memmem(splitters.ptr, splitters.len, left.ptr, n));
        if (!splits) {
            len += n;
            continue;
        }
        if (len > 0) {
            part = asl_text(args->scope->values, px_str(rest.ptr, len));
            if (!part) return fault_of(args);
            (void)yyjson_mut_arr_append(array, part);
        }
        if (n == 0) break;
        rest = px_str_skip(rest, len + n);
        len = 0;
    }
    *ret_value = array;
    return 0;
}

/* ---- States.UUID ---- */

int call_uuid(struct call_args *args, yyjson_mut_val **ret_value)
{
    char *text = px_arena_alloc(arena_of(args), ASL_UUID_BYTES);
    if (!text) return fault_of(args);
    asl_uuid(args->scope, text);
    return new_text(args, px_str_c(text), ret_value);
}
