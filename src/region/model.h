/* region/model.h - models of the contract: JSON Schema draft 4, by which API Gateway validates bodies of requests. RapidJSON's
 * validator, compiled once; a check reads the body as it goes and keeps none of it.
 *
 * Source: API Gateway developer guide, "Request validation for REST APIs" and "Data models for REST APIs". */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct models; /* the document that models are read from */
struct model;

/* Memory of models that are compiled, of a lifetime that the caller knows. NULL: there is none left. */
typedef void *model_alloc(void *ctx, size_t bytes);

/* text is JSON, and is not kept. NULL when memory is out. End it with models_free() when all models are compiled; they stay. */
struct models *models_new(const char *text, size_t bytes);
void models_free(struct models **models);

enum model_answer {
    MODEL_WRONG = 1, /* it is no schema that is understood; ret_why says what */
    MODEL_NO_MEMORY,
};
/* The schema at a JSON pointer of the document. References are followed within the document. */
int model_compile(struct models *models, const char *pointer, model_alloc *alloc, void *ctx,
                  const struct model **ret_model, char *ret_why, size_t why_room);

enum model_verdict {
    MODEL_FITS,
    MODEL_VIOLATED, /* ret_why: "[/limit: numeric instance is lower than ...]", cut at its room */
};
enum model_verdict model_check(const struct model *model, const char *body, size_t bytes,
                               char *ret_why, size_t why_room);

#ifdef __cplusplus
}
#endif
