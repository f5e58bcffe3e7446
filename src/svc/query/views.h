/* svc/query/views.h - the views that a kept engine has: made once, and again only when a dataset's
 * columns or files are others than before. A view is as good as its text: what moves without a change of
 * text, fresh frames, is looked up when a statement runs (prism_hot). */
#pragma once

#include "sql/engine.h"

struct views; /* opaque; of one engine */
PX_MUST_USE int views_new(struct views **ret_views);
void views_free(struct views **views); /* the engine's own views stay in it */

/* Make the view `name` what `sql` says, a CREATE OR REPLACE VIEW, if it is not so already. `shape`:
 * what else the view depends on, as text. All are copied. Faults: as sql_exec(). */
PX_MUST_USE int views_put(struct views *views, struct sql_engine *engine, struct px_str name,
                          struct px_str sql, struct px_str shape);
/* Drop a view, if there is one of this name. */
PX_MUST_USE int views_drop(struct views *views, struct sql_engine *engine, struct px_str name);
PX_MUST_USE int views_drop_all(struct views *views, struct sql_engine *engine);
/* To be called between statements: drops all when they have become many. */
PX_MUST_USE int views_tidy(struct views *views, struct sql_engine *engine);
