/* store/pg_state.c - error codes, as one table; docs: pg_state.h. */
#include "store/pg_state.h"

/* The first that begins like the code; a code that none has is a mistake of ours. */
static const struct {
    const char *prefix;
    int meaning;
} meanings[] = {
    {"08", PG_GONE},         /* connection exception */
    {"57P", PG_GONE},        /* shut down, crashed, starting, database dropped, idle too long */
    {"25006", PG_GONE},      /* read-only transaction: the server was the writer once */
    {"25P03", PG_GONE},      /* idle in a transaction too long */
    {"53300", PG_GONE},      /* too many connections */
    {"23505", PG_CONFLICT},  /* unique */
    {"23503", PG_CONFLICT},  /* foreign key */
    {"40", PX_F_BUSY},       /* serialization, deadlock, conflict with recovery */
    {"55P03", PX_F_BUSY},    /* lock not available in time */
    {"57014", PX_F_TIMEOUT}, /* cancelled: statement_timeout */
    {"28", PX_F_DENIED},     /* who connects */
    {"42501", PX_F_DENIED},  /* privileges */
    {"3D000", PX_F_CONFIG},  /* no such database */
    {"0A000", PX_F_CONFIG},  /* a proxy does not do this */
    {"22021", PX_F_LIMIT},   /* not UTF-8, or NUL */
    {"22P05", PX_F_LIMIT},    {"54", PX_F_LIMIT}, /* too large, too complex */
    {"53100", PX_F_NO_SPACE},                     /* disk full */
    {"53", PX_F_BUSY},                            /* out of memory and other resources, there */
    {"58", PX_F_IO},          {"XX001", PX_F_CORRUPT}, {"XX002", PX_F_CORRUPT},
};

int pg_state_meaning(const char *state)
{
    if (!state) return PG_GONE;
    for (size_t i = 0; i < PX_COUNT(meanings); i++)
        if (px_str_starts(px_str_c(state), px_str_c(meanings[i].prefix)))
            return meanings[i].meaning;
    return PX_F_BUG;
}

static bool is_code(const char *text)
{
    for (size_t i = 0; i < 5; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    return true;
}

/* The last one: each address that was tried has left a line. */
bool pg_state_find(struct px_str message, char ret_state[6])
{
    bool found = false;
    for (size_t i = 0; i + 10 <= message.len; i++) {
        const char *at = message.ptr + i;
        if (memcmp(at, ":  ", 3) != 0 || memcmp(at + 8, ": ", 2) != 0 || !is_code(at + 3)) continue;
        memcpy(ret_state, at + 3, 5);
        ret_state[5] = '\0';
        found = true;
    }
    return found;
}
