/* asl/path_pattern.c - the patterns of filters: PCRE2 within arenas and within bounds.
 *
 * The library's memory comes from an arena and goes with it. Matching without a bound is what makes regular expressions a danger:
 * each match may backtrack in proportion to its text, and costs the walk visits. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "asl/path_tokens.h"

#include <pcre2.h>

#define PATTERN_BYTES_MAX 4096u
#define MATCH_STEPS 20000u /* of the library, besides some for each byte of the text */
#define STEPS_PER_BYTE 16u
#define MATCH_KIB_MAX 4096u /* for backtracking */
#define MATCH_VISITS 200u

struct pattern {
    pcre2_code *code;
};
struct matching {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static void *pattern_malloc(PCRE2_SIZE bytes, void *arena) { return px_arena_alloc(arena, bytes); }
static void pattern_free(void *ptr, void *arena) { (void)ptr, (void)arena; }

/* Java's flags; d and u are how PCRE2 works anyway, or as near as it comes. */
static bool options_of(struct px_str flags, uint32_t *ret_options)
{
    static const struct {
        char flag;
        uint32_t option;
    } known[] = {{'i', PCRE2_CASELESS},
                 {'m', PCRE2_MULTILINE},
                 {'s', PCRE2_DOTALL},
                 {'x', PCRE2_EXTENDED},
                 {'U', PCRE2_UCP},
                 {'d', 0},
                 {'u', 0}};
    for (size_t i = 0; i < flags.len; i++) {
        size_t k = 0;
        while (k < PX_COUNT(known) && known[k].flag != flags.ptr[i]) k++;
        if (k == PX_COUNT(known)) return false;
        *ret_options |= known[k].option;
    }
    return true;
}

int pattern_compile(struct px_str text, struct px_str flags, struct px_arena *arena,
                    const struct pattern **ret_pattern, size_t *ret_wrong)
{
    uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C;
    int error = 0;
    PCRE2_SIZE at = 0;
    *ret_wrong = 0;
    if (text.len > PATTERN_BYTES_MAX || !options_of(flags, &options)) return ASL_INVALID;
    struct pattern *pattern = px_arena_new(arena, struct pattern);
    pcre2_general_context *general = pcre2_general_context_create(pattern_malloc, pattern_free,
                                                                  arena);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (!pattern || !context) return px_arena_fault(arena);
    pattern->code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len, options, &error, &at, context);
    if (!pattern->code && error == PCRE2_ERROR_NOMEMORY) return px_arena_fault(arena);
    if (!pattern->code && px_arena_full(arena)) return px_arena_fault(arena);
    *ret_wrong = PX_MIN(at, text.len);
    if (!pattern->code) return ASL_INVALID;
    *ret_pattern = pattern;
    return 0;
}

static struct matching *matching_of(struct walk *walk)
{
    struct px_arena *arena = walk->values->arena;
    if (walk->matching) return walk->matching;
    struct matching *matching = px_arena_new(arena, struct matching);
    pcre2_general_context *general = pcre2_general_context_create(pattern_malloc, pattern_free,
                                                                  arena);
    if (!matching || !general) return NULL;
    matching->data = pcre2_match_data_create(1, general);
    matching->context = pcre2_match_context_create(general);
    if (!matching->data || !matching->context) return NULL;
    (void)pcre2_set_heap_limit(matching->context, MATCH_KIB_MAX);
    walk->matching = matching;
    return matching;
}

bool pattern_is(struct walk *walk, const struct pattern *pattern, struct px_str text)
{
    struct matching *matching = matching_of(walk);
    if (!matching) {
        walk->fault = px_arena_fault(walk->values->arena);
        return false;
    }
    uint64_t steps = MATCH_STEPS + (uint64_t)text.len * STEPS_PER_BYTE,
             cost = MATCH_VISITS + text.len / 8;
    walk->visits_left -= PX_MIN(walk->visits_left, cost);
    (void)pcre2_set_match_limit(matching->context, (uint32_t)PX_MIN(steps, (uint64_t)UINT32_MAX));
    int r = pcre2_match(pattern->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, 0,
                        matching->data, matching->context);
    if (r == PCRE2_ERROR_NOMEMORY)
        walk->fault = px_arena_fault(walk->values->arena);
    else if (r < 0 && r != PCRE2_ERROR_NOMATCH)
        walk->exhausted = true;
    return r >= 0;
}
