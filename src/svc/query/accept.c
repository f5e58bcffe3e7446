/* svc/query/accept.c - see accept.h. */
#include "svc/query/accept.h"

#define EXACT 3u

/* Up to the next `until` that stands in no quoted string. */
static bool cut_unquoted(struct px_str *text, char until, struct px_str *ret_before)
{
    bool quoted = false;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == until && !quoted) {
            *ret_before = px_str(text->ptr, i);
            *text = px_str_skip(*text, i + 1);
            return true;
        }
    }
    *ret_before = *text;
    *text = (struct px_str){0};
    return false;
}

/* "0.25" as thousandths; Java's own client says ".2". */
static bool read_weight(struct px_str text, int *ret_weight)
{
    struct px_str whole, digits = text;
    uint64_t ones = 0, thousandths = 0;
    bool has_point = px_str_cut(&digits, '.', &whole);
    if (!has_point) digits = (struct px_str){0};
    if (whole.len + digits.len == 0 || whole.len > 1 || digits.len > 3) return false;
    if (whole.len && !px_str_to_u64(whole, &ones)) return false;
    if (digits.len && !px_str_to_u64(digits, &thousandths)) return false;
    for (size_t i = digits.len; i < 3; i++) thousandths *= 10;
    if (ones * 1000 + thousandths > 1000) return false;
    *ret_weight = (int)(ones * 1000 + thousandths);
    return true;
}

/* The name of an item and its weight. False: it is none. */
static bool read_item(struct px_str item, struct px_str *ret_name, int *ret_weight)
{
    struct px_str part, key;
    bool more = cut_unquoted(&item, ';', &part);
    *ret_name = px_str_trim(part);
    *ret_weight = 1000;
    while (more) {
        more = cut_unquoted(&item, ';', &part);
        (void)px_str_cut(&part, '=', &key);
        if (px_str_ieq(px_str_trim(key), S("q")) && !read_weight(px_str_trim(part), ret_weight))
            return false;
    }
    return ret_name->len > 0;
}

/* How exactly an item's name says this one; 0: it does not. */
static unsigned exactness(enum accept_kind kind, struct px_str said, struct px_str name)
{
    if (px_str_ieq(said, name)) return EXACT;
    if (kind != ACCEPT_MEDIA) return 0;
    if (px_str_eq(said, S("*/*")) || px_str_eq(said, S("*"))) return 1; /* "*" is Java's */
    struct px_str sub = said, type, name_type;
    if (!px_str_cut(&sub, '/', &type) || !px_str_eq(sub, S("*"))) return 0;
    (void)px_str_cut(&name, '/', &name_type);
    return px_str_ieq(type, name_type) ? 2 : 0;
}

int accept_weight(enum accept_kind kind, struct px_str header, struct px_str name,
                  size_t *ret_place)
{
    unsigned best = 0;
    int weight = ACCEPT_UNSAID;
    *ret_place = 0;
    for (size_t place = 0; header.len > 0; place++) {
        struct px_str item, said;
        int its;
        (void)cut_unquoted(&header, ',', &item);
        if (!read_item(item, &said, &its)) continue;
        unsigned exact = exactness(kind, said, name);
        if (exact <= best) continue;
        best = exact;
        weight = its;
        *ret_place = place;
    }
    return weight;
}
