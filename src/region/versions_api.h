/* region/versions_api.h - what the files of Lambda's REST API of versions, aliases and concurrency share: one call.
 *
 * A call is answered once, by api_answer(), api_refuse(), api_invalid() or api_fail(), which free it. */
#pragma once

#include <uv.h>

#include "base/px_json.h"
#include "http/server.h"
#include "region/versions_internal.h"

#define API_FILE_BUCKET "file"
#define API_ARN "arn:aws:lambda:%s:000000000000:function:%s"

struct api_call {
    uv_work_t work;
    struct function_versions *f;
    struct http_request *request;
    yyjson_val *input;            /* of a PUT or POST; an empty object else */
    struct px_str qualifier, sub; /* decoded; sub: the alias of the path */
    struct px_buf reply;
    int status;
    void (*then)(struct api_call *call); /* in the loop, when what was to be taken in is there */
    /* for the thread */
    bool freeze, look;
    char source[4096];
    struct px_str zip;
    char store[3200], build[3072];
    struct version_code built, code;
    int r;
};

/* versions_api.c */
void api_refuse(struct api_call *call, int status, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void api_invalid(struct api_call *call, const char *what);
void api_fail(struct api_call *call, int fault);    /* logged, 500 */
void api_answer(struct api_call *call, int status); /* with what is in `reply` */
/* Go on with `then` once the code is there: what was built, before the first change, and what the call brings. */
void api_take_code(struct api_call *call, void (*then)(struct api_call *call));
const char *api_region(const struct api_call *call);

/* versions_api_code.c */
void api_get_function(struct api_call *call);
void api_list_versions(struct api_call *call);
void api_publish_version(struct api_call *call);
void api_update_code(struct api_call *call);
void api_delete_version(struct api_call *call);

/* versions_api_alias.c */
void api_get_alias(struct api_call *call);
void api_list_aliases(struct api_call *call);
void api_create_alias(struct api_call *call);
void api_update_alias(struct api_call *call);
void api_delete_alias(struct api_call *call);

/* versions_api_concurrency.c */
void api_get_provisioned(struct api_call *call);
void api_put_provisioned(struct api_call *call);
void api_get_concurrency(struct api_call *call);
void api_put_concurrency(struct api_call *call);
