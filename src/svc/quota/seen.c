/* svc/quota/seen.c - see seen.h. */
#include "svc/quota/seen.h"

#include <stdlib.h>

#define TENANTS_AT_FIRST 16

static struct aws_byte_cursor key_of(struct px_str tenant)
{
    return aws_byte_cursor_from_array(tenant.ptr, tenant.len);
}

static bool is_same(const void *a, const void *b) { return aws_byte_cursor_eq(a, b); }

int quota_seen_init(struct quota_seen *seen, size_t max, size_t bytes,
                    bool (*is_needed)(const void *it))
{
    PX_ASSERT(bytes >= sizeof(struct seen_tenant));
    *seen = (struct quota_seen){.max = max, .bytes = bytes, .is_needed = is_needed};
    int r = aws_linked_hash_table_init(&seen->table, aws_default_allocator(),
                                       aws_hash_byte_cursor_ptr, is_same, NULL, free,
                                       TENANTS_AT_FIRST);
    return r == AWS_OP_SUCCESS ? 0 : px_fault(PX_F_OOM, "tenants that were seen");
}

void quota_seen_deinit(struct quota_seen *seen)
{
    if (seen->table.allocator) aws_linked_hash_table_clean_up(&seen->table);
    *seen = (struct quota_seen){0};
}

void *quota_seen_find(const struct quota_seen *seen, struct px_str tenant)
{
    struct aws_byte_cursor key = key_of(tenant);
    struct aws_hash_element *element = NULL;
    /* of the table that the list is kept by, which can be read without a change */
    (void)aws_hash_table_find(&seen->table.table, &key, &element);
    return element ? ((struct aws_linked_hash_table_node *)element->value)->value : NULL;
}

static void forget_one(struct quota_seen *seen)
{
    const struct aws_linked_list *list = aws_linked_hash_table_get_iteration_list(&seen->table);
    for (struct aws_linked_list_node *at = aws_linked_list_begin(list);
         at != aws_linked_list_end(list); at = aws_linked_list_next(at)) {
        const struct aws_linked_hash_table_node *node = AWS_CONTAINER_OF(
            at, struct aws_linked_hash_table_node, node);
        if (seen->is_needed && seen->is_needed(node->value)) continue;
        (void)aws_linked_hash_table_remove(&seen->table, node->key);
        return;
    }
}

void *quota_seen_now(struct quota_seen *seen, struct px_str tenant, bool *ret_new)
{
    struct aws_byte_cursor key = key_of(tenant);
    void *found = NULL;
    PX_ASSERT(tenant.len > 0 && tenant.len <= SEEN_TENANT_BYTES_MAX);
    (void)aws_linked_hash_table_find_and_move_to_back(&seen->table, &key, &found);
    *ret_new = !found;
    if (found) return found;
    struct seen_tenant *it = calloc(1, seen->bytes);
    if (!it) return NULL;
    memcpy(it->name, tenant.ptr, tenant.len);
    it->key = aws_byte_cursor_from_array(it->name, tenant.len);
    if (aws_linked_hash_table_get_element_count(&seen->table) >= seen->max) forget_one(seen);
    if (aws_linked_hash_table_put(&seen->table, &it->key, it) == AWS_OP_SUCCESS) return it;
    free(it);
    return NULL;
}
