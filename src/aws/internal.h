/* aws/internal.h - the insides of struct cloud. Inside aws only. */
#pragma once

#include <aws/auth/credentials.h>
#include <aws/io/channel_bootstrap.h>
#include <aws/io/event_loop.h>
#include <aws/io/host_resolver.h>
#include <aws/io/tls_channel_handler.h>

#include <pthread.h>

#include "aws/context.h"

struct cloud {
    struct aws_allocator *allocator;
    struct aws_event_loop_group *loops;
    struct aws_host_resolver *resolver;
    struct aws_client_bootstrap *bootstrap;
    struct aws_tls_ctx *tls;
    struct aws_credentials_provider *credentials;
    const struct px_clock *clock;
    char region[64];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool loops_ended;
};

static inline struct aws_byte_cursor cloud_cursor(struct px_str s)
{
    return aws_byte_cursor_from_array(s.ptr, s.len);
}
static inline struct px_str cloud_str(struct aws_byte_cursor c)
{
    return px_str((const char *)c.ptr, c.len);
}
