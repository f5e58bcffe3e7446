/* region/homes.h - where the region's stores are: in the data folder, or on AWS behind an endpoint
 * (`prism up --aws-endpoint`), which is how the whole platform meets an emulator of AWS.
 *
 *   store      in the folder   on AWS
 *   hot        hot/            hot/ (AWS has EFS there: a folder as well)
 *   segments   segments/       s3://<prefix>-segments
 *   analytics  analytics/      s3://<prefix>-analytics
 *   tables     tables.db       dynamodb://<prefix>
 *   meta       meta.db         PRISM_META_URL of this process; unset: meta.db
 *   secrets    secrets/        secretsmanager://<prefix>
 *   parameters parameters.json ssm://<prefix>
 *
 * Credentials and the region come from this process's environment, as AWS's own tools take them. */
#pragma once

#include "region/data_dir.h"
#include "region/functions.h"

/* In arena; NULL: there is no store of that name, or memory is out. */
const char *homes_url(const struct data_dir *dir, const char *store, struct px_arena *arena);

/* With stores on AWS: check that there are credentials, set AWS_ENDPOINT_URL and, when unset, AWS_REGION
 * (us-east-1) for this process and those it starts, and make the tables and buckets that are missing. In
 * production Terraform makes them (infra/); this is for endpoints that begin empty. Before threads.
 * Faults: PX_F_CONFIG (no credentials), and those of cloud_call(). */
PX_MUST_USE int homes_prepare(const struct data_dir *dir,
                              const struct function_catalogue *catalogue, struct px_arena *arena,
                              const struct px_clock *clock);

/* Variables of this process that a function on AWS stores needs. */
extern const char *const homes_aws_variables[];
extern const size_t homes_aws_variable_count;
