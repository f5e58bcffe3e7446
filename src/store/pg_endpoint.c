/* store/pg_endpoint.c - along CNAMEs to RDS's own name; docs: pg_endpoint.h.
 *
 * The end of the chain would be too far: a cluster's name leads on to an instance's. */
#include "store/pg_endpoint.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <strings.h>

#define HOPS_MAX 16

static bool is_rds(const char *name)
{
    static const char *const ends[] = {".rds.amazonaws.com", ".rds.amazonaws.com.cn"};
    for (size_t i = 0; i < PX_COUNT(ends); i++) {
        size_t n = strlen(name), end = strlen(ends[i]);
        if (n > end && strcasecmp(name + n - end, ends[i]) == 0) return true;
    }
    return false;
}

static unsigned u16_at(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

/* What is left of an answer (RFC 1035 section 4.1). */
struct reading {
    const uint8_t *begin, *at, *end;
    unsigned records;
};

static bool skip_questions(struct reading *reading)
{
    if (reading->end - reading->begin < NS_HFIXEDSZ) return false;
    unsigned questions = u16_at(reading->begin + 4);
    reading->records = u16_at(reading->begin + 6);
    reading->at = reading->begin + NS_HFIXEDSZ;
    for (; questions > 0; questions--) {
        int n = dn_skipname(reading->at, reading->end);
        if (n < 0 || reading->end - reading->at < n + NS_QFIXEDSZ) return false;
        reading->at += n + NS_QFIXEDSZ;
    }
    return true;
}

/* Where the name leads in this answer. */
static bool next_name(struct reading reading, const char *name, char ret_next[PG_HOST_BYTES])
{
    char owner[PG_HOST_BYTES];
    if (!skip_questions(&reading)) return false;
    for (; reading.records > 0; reading.records--) {
        int n = dn_expand(reading.begin, reading.end, reading.at, owner, sizeof owner);
        if (n < 0 || reading.end - reading.at < n + NS_RRFIXEDSZ) return false;
        const uint8_t *fixed = reading.at + n, *data = fixed + NS_RRFIXEDSZ;
        unsigned type = u16_at(fixed), len = u16_at(fixed + 8);
        if (reading.end - data < (ptrdiff_t)len) return false;
        if (type == ns_t_cname && strcasecmp(owner, name) == 0)
            return dn_expand(reading.begin, reading.end, data, ret_next, PG_HOST_BYTES) > 0;
        reading.at = data + len;
    }
    return false;
}

void pg_endpoint_read(const uint8_t *answer, size_t len, const char *host,
                      char ret_name[PG_HOST_BYTES])
{
    char at[PG_HOST_BYTES], next[PG_HOST_BYTES];
    const struct reading reading = {.begin = answer, .end = answer + len};
    (void)snprintf(ret_name, PG_HOST_BYTES, "%s", host);
    (void)snprintf(at, sizeof at, "%s", host);
    for (int hops = 0; hops < HOPS_MAX && next_name(reading, at, next); hops++) {
        memcpy(at, next, sizeof at);
        if (!is_rds(at)) continue;
        memcpy(ret_name, at, sizeof at);
        return;
    }
}

void pg_endpoint_find(const char *host, char ret_name[PG_HOST_BYTES])
{
    uint8_t answer[NS_PACKETSZ * 8];
    struct __res_state state = {0};
    (void)snprintf(ret_name, PG_HOST_BYTES, "%s", host);
    if (is_rds(host) || res_ninit(&state) != 0) return;
    state.retrans = state.retry = 2;
    int len = res_nquery(&state, host, ns_c_in, ns_t_a, answer, sizeof answer);
    res_nclose(&state);
    if (len > 0) pg_endpoint_read(answer, PX_MIN((size_t)len, sizeof answer), host, ret_name);
}
