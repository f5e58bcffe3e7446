/* store/pg_value.c - values both ways; docs: pg_value.h.
 *
 * Types are told for every parameter but NULL, since "$1 - $2" says nothing of them; numbers are
 * big-endian. Type numbers: pg_type.dat of PostgreSQL, which never change. */
#include "store/pg_value.h"

#include <endian.h>

enum { OID_BYTEA = 17, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25 };
enum { OID_FLOAT8 = 701, OID_UNKNOWN = 705, OID_VARCHAR = 1043 };

static Oid type_of(enum meta_type type)
{
    switch (type) {
    case META_NULL: return 0;
    case META_INT: return OID_INT8;
    case META_REAL: return OID_FLOAT8;
    case META_TEXT: return OID_TEXT;
    case META_BYTES: return OID_BYTEA;
    }
    return 0;
}

static void number_set(struct pg_params *params, size_t at, uint64_t bits)
{
    uint64_t wire = htobe64(bits);
    memcpy(params->numbers[at], &wire, sizeof wire);
    params->values[at] = params->numbers[at];
    params->lengths[at] = sizeof wire;
}

int pg_params_set(struct pg_params *params, const struct meta_value *values, size_t count)
{
    PX_ASSERT(count <= PG_PARAMS_MAX);
    params->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const struct meta_value *value = &values[i];
        uint64_t bits = (uint64_t)value->i;
        params->types[i] = type_of(value->type);
        params->formats[i] = 1;
        if (value->type == META_REAL) memcpy(&bits, &value->d, sizeof bits);
        if (value->type == META_NULL) {
            params->values[i] = NULL;
            params->lengths[i] = 0;
        } else if (value->type == META_INT || value->type == META_REAL) {
            number_set(params, i, bits);
        } else {
            if (value->s.len > INT32_MAX) return px_fault(PX_F_LIMIT, "%zu bytes", value->s.len);
            params->values[i] = value->s.ptr ? value->s.ptr : "";
            params->lengths[i] = (int)value->s.len;
        }
    }
    return 0;
}

static uint64_t big_endian(struct px_str raw)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < raw.len; i++) bits = bits << 8 | (uint8_t)raw.ptr[i];
    return bits;
}

int pg_column(const PGresult *result, int row, int column, struct meta_value *ret_value)
{
    if (PQgetisnull(result, row, column)) {
        *ret_value = meta_null();
        return 0;
    }
    struct px_str raw = px_str(PQgetvalue(result, row, column),
                               (size_t)PQgetlength(result, row, column));
    uint64_t bits = raw.len <= 8 ? big_endian(raw) : 0;
    switch (PQftype(result, column)) {
    case OID_INT2: *ret_value = meta_i((int16_t)bits); return 0;
    case OID_INT4: *ret_value = meta_i((int32_t)bits); return 0;
    case OID_INT8: *ret_value = meta_i((int64_t)bits); return 0;
    case OID_FLOAT8:
        *ret_value = (struct meta_value){.type = META_REAL};
        memcpy(&ret_value->d, &bits, sizeof bits);
        return 0;
    case OID_TEXT:
    case OID_NAME:
    case OID_UNKNOWN:
    case OID_VARCHAR: *ret_value = meta_s(raw); return 0;
    case OID_BYTEA: *ret_value = meta_bytes(raw); return 0;
    default:
        return px_fault(PX_F_BUG, "column %s is of type %u: cast it", PQfname(result, column),
                        (unsigned)PQftype(result, column));
    }
}
