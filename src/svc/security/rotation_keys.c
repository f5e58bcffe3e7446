/* svc/security/rotation_keys.c - peppers of API keys and keys of tokens: kinds whose value is a list, to which a rotation adds. */
#include "svc/security/key_text.h"
#include "svc/security/peppers.h"
#include "svc/security/rotation_kind.h"
#include "svc/security/token_keys.h"

/* ---- the pepper of API keys ---- */

/* Whoever put a value there by hand left those of before to the previous one. */
static void add_missing(struct peppers *to, const struct peppers *from)
{
    for (size_t i = 0; i < from->count && to->count < PEPPERS_MAX; i++)
        if (!peppers_find(to, px_str_c(from->list[i].id))) to->list[to->count++] = from->list[i];
}

static int pepper_make(struct rotation *rotation, const struct rotation_values *values,
                       struct px_buf *value)
{
    PX_AUTO(peppers_deinit) struct peppers before = {0};
    PX_AUTO(peppers_deinit) struct peppers previous = {0};
    struct table_store *tables = NULL;
    bool any = values->current.len > 0;
    if (any) PX_TRY(peppers_parse(values->current, &before));
    if (values->previous.len > 0) PX_TRY(peppers_parse(values->previous, &previous));
    add_missing(&before, &previous);
    PX_TRY(rotation_tables(rotation, &tables));
    PX_TRY(peppers_add(any ? &before : NULL, tables, px_wall_ns(rotation->options.clock), value));
    return 0;
}

/* What keys are made with now must open them tomorrow; and HMAC works with each. */
static int pepper_test(struct rotation *rotation, const struct rotation_values *values)
{
    PX_AUTO(peppers_deinit) struct peppers pending = {0};
    PX_AUTO(peppers_deinit) struct peppers current = {0};
    char hash[KEY_HASH_LEN + 1];
    PX_TRY(peppers_parse(values->pending, &pending));
    for (size_t i = 0; i < pending.count; i++)
        PX_TRY(key_text_hash(pending.list[i].value, S("prism"), S(""), hash));
    if (values->current.len == 0) return 0;
    PX_TRY(peppers_parse(values->current, &current));
    const struct pepper *in_use = peppers_for_new(&current, px_wall_ns(rotation->options.clock));
    bool newest = peppers_find(&pending, px_str_c(current.list[0].id)) != NULL;
    return newest && peppers_find(&pending, px_str_c(in_use->id)) ? 0 : ROTATION_OVERTAKEN;
}

const struct rotation_kind rotation_pepper = {
    .name = {"api-key-pepper", 14}, .shared = true, .make = pepper_make, .test = pepper_test};

/* ---- the key that signs tokens ---- */

static int token_make(struct rotation *rotation, const struct rotation_values *values,
                      struct px_buf *value)
{
    PX_AUTO(token_keys_wipe) struct token_keys before = {0};
    bool any = values->current.len > 0;
    if (any) PX_TRY(token_keys_parse(values->current, &before));
    PX_TRY(token_keys_add(any ? &before : NULL, px_wall_ns(rotation->options.clock), value));
    return 0;
}

/* A signature by the new key and by the one that signs now, checked by their public halves. */
static int token_test(struct rotation *rotation, const struct rotation_values *values)
{
    PX_AUTO(token_keys_wipe) struct token_keys pending = {0};
    PX_AUTO(token_keys_wipe) struct token_keys current = {0};
    uint8_t signature[TOKEN_SIGNATURE_BYTES];
    struct px_str signed_text = px_str((const char *)signature, sizeof signature);
    (void)rotation;
    PX_TRY(token_keys_parse(values->pending, &pending));
    PX_TRY(token_key_sign(&pending.list[0], S("prism"), signature));
    if (!token_key_verify(&pending.list[0], S("prism"), signed_text))
        return px_fault(PX_F_CORRUPT, "the new key's signature does not verify");
    if (values->current.len == 0) return 0;
    PX_TRY(token_keys_parse(values->current, &current));
    return token_keys_find(&pending, px_str_c(current.list[0].id)) ? 0 : ROTATION_OVERTAKEN;
}

const struct rotation_kind rotation_token = {
    .name = {"token-signing-key", 17}, .made_here = true, .make = token_make, .test = token_test};
