/* delivery/rules_storage.c - buckets and file systems.
 *
 * Which transitions are legal: docs.aws.amazon.com/AmazonS3/latest/userguide/
 * lifecycle-transition-general-considerations.html */
#include "delivery/rule.h"

#define BUCKETS                                                                                    \
    "Bucket configuration includes encryption at rest, versioning for critical data, and "         \
    "cross-region replication for disaster recovery scenarios."
#define LIFECYCLE                                                                                  \
    "Automated lifecycle policies transition data through S3 storage classes based on age and "    \
    "access patterns."
#define CLASSES                                                                                     \
    "Recent data remains in Standard storage, older data transitions to Standard-IA, and archival " \
    "data moves to Glacier storage classes."
#define THROUGHPUT                                                                                 \
    "Each regional deployment includes dedicated EFS filesystems with provisioned throughput to "  \
    "ensure predictable performance characteristics."
#define TARGETS                                                                                    \
    "Mount targets are deployed across multiple availability zones to provide high availability "  \
    "and fault tolerance."
#define POINTS                                                                                     \
    "Each tenant receives dedicated access points with POSIX user/group isolation and path-based " \
    "restrictions that prevent cross-tenant data access."

static struct plan_resource *of_bucket(struct verify *v, const char *type,
                                       struct plan_resource *bucket)
{
    struct plan_resource *found = rule_companion(v, type, "bucket", bucket);
    struct px_str name = plan_text(bucket, "bucket");
    for (plan_each(v->plan, type, it))
        if (!found && name.len > 0 && px_str_eq(plan_text(it, "bucket"), name)) found = it;
    return found;
}

static bool needs_buckets(struct verify *v)
{
    return rule_needs(v, "aws_s3_bucket", "module storage (or the global stack) makes the buckets");
}

/* What lives for days only need not be kept in versions. */
static bool is_short_lived(struct verify *v, struct plan_resource *bucket)
{
    struct plan_resource *config = of_bucket(v, "aws_s3_bucket_lifecycle_configuration", bucket);
    const struct value *rules = config ? plan_get(config, "rule") : NULL;
    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value *expiration = value_item(
            value_get(value_item(rules, i), S("expiration")), 0);
        double days = value_num(value_get(expiration, S("days")), 0);
        if (days >= 1 && days <= 7) return true;
    }
    return false;
}

static void versioned(struct verify *v)
{
    if (!needs_buckets(v)) return;
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct plan_resource *versioning = of_bucket(v, "aws_s3_bucket_versioning", it);
        rule_look(v);
        bool on = versioning &&
                  rule_is(plan_text(versioning, "versioning_configuration.status"), "Enabled");
        if (!on && !is_short_lived(v, it))
            rule_find(v, versioning ? versioning : it,
                      "add aws_s3_bucket_versioning with status Enabled",
                      "the bucket keeps no versions: what is overwritten or deleted is gone");
    }
}

static void not_public(struct verify *v)
{
    static const char *const flags[] = {"block_public_acls", "block_public_policy",
                                        "ignore_public_acls", "restrict_public_buckets"};
    if (!needs_buckets(v)) return;
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct plan_resource *block = of_bucket(v, "aws_s3_bucket_public_access_block", it);
        rule_look(v);
        if (!block) {
            rule_find(v, it, "add aws_s3_bucket_public_access_block with all four flags",
                      "nothing keeps the bucket from being made public");
            continue;
        }
        for (size_t i = 0; i < PX_COUNT(flags); i++)
            if (!plan_truth(block, flags[i]))
                rule_find(v, block, "set it to true", "%s is off", flags[i]);
    }
}

static void owned(struct verify *v)
{
    if (!needs_buckets(v)) return;
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct plan_resource *controls = of_bucket(v, "aws_s3_bucket_ownership_controls", it);
        struct px_str owner = controls ? plan_text(controls, "rule.object_ownership") : S("");
        /* CloudFront writes its access logs with an ACL. */
        bool takes_acl = rule_is(owner, "BucketOwnerPreferred") &&
                         rule_companion(v, "aws_cloudfront_distribution", "logging_config.bucket",
                                        it);
        rule_look(v);
        if (!rule_is(owner, "BucketOwnerEnforced") && !takes_acl)
            rule_find(v, controls ? controls : it,
                      "add aws_s3_bucket_ownership_controls with BucketOwnerEnforced",
                      "objects may belong to whoever wrote them: ownership is %.*s",
                      PX_FMT(owner.len > 0 ? owner : S("not set")));
    }
}

/* ---- lifecycle ---- */

static const struct storage_class {
    const char *name;
    int rank;         /* data moves up only */
    double after_min; /* days before which AWS refuses the move */
    double stays_min; /* days that are billed at least */
} classes[] = {
    {"STANDARD", 0, 0, 0},       {"STANDARD_IA", 1, 30, 30}, {"INTELLIGENT_TIERING", 2, 0, 0},
    {"ONEZONE_IA", 3, 30, 30},   {"GLACIER_IR", 4, 0, 90},   {"GLACIER", 5, 0, 90},
    {"DEEP_ARCHIVE", 6, 0, 180},
};

static const struct storage_class *class_of(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(classes); i++)
        if (rule_is(name, classes[i].name)) return &classes[i];
    return NULL;
}

struct step {
    double days;
    const struct storage_class *to;
};

/* The transitions of a rule in the order of their days. */
static size_t steps_of(const struct value *rule, struct step steps[8])
{
    const struct value *list = value_get(rule, S("transition"));
    size_t count = 0;
    for (size_t i = 0; i < value_count(list) && count < 8; i++) {
        const struct value *t = value_item(list, i);
        struct step step = {value_num(value_get(t, S("days")), 0),
                            class_of(value_str(value_get(t, S("storage_class"))))};
        size_t at = count++;
        for (; at > 0 && steps[at - 1].days > step.days; at--) steps[at] = steps[at - 1];
        steps[at] = step;
    }
    return count;
}

static void check_steps(struct verify *v, struct plan_resource *it, const struct value *rule)
{
    struct step steps[8], before = {0, &classes[0]};
    size_t count = steps_of(rule, steps);
    struct px_str id = value_str(value_get(rule, S("id")));
    double expires = value_num(
        value_get(value_item(value_get(rule, S("expiration")), 0), S("days")), 0);
    for (size_t i = 0; i < count; i++) {
        const struct step *s = &steps[i];
        if (!s->to) {
            rule_find(v, it, "use a class of S3's", "rule %.*s moves to an unknown class",
                      PX_FMT(id));
            return;
        }
        if (s->days < s->to->after_min)
            rule_find(v, it, "move to an infrequent access class after 30 days or more",
                      "rule %.*s moves to %s after %.0f days; AWS refuses that before %.0f",
                      PX_FMT(id), s->to->name, s->days, s->to->after_min);
        if (s->to->rank <= before.to->rank)
            rule_find(v, it, "order the classes from Standard to Glacier",
                      "rule %.*s moves from %s to %s, which S3 does not do", PX_FMT(id),
                      before.to->name, s->to->name);
        if (s->days - before.days < before.to->stays_min)
            rule_find(v, it, "leave data in a class for its minimum duration",
                      "rule %.*s leaves %s after %.0f days, but %.0f are billed", PX_FMT(id),
                      before.to->name, s->days - before.days, before.to->stays_min);
        before = *s;
    }
    if (expires > 0 && expires - before.days < before.to->stays_min)
        rule_find(v, it, "expire later, or do not move there",
                  "rule %.*s expires data %.0f days after it came to %s, but %.0f are billed",
                  PX_FMT(id), expires - before.days, before.to->name, before.to->stays_min);
}

static void lifecycle_legal(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_s3_bucket_lifecycle_configuration", it)) {
        const struct value *rules = plan_get(it, "rule");
        for (size_t i = 0; i < value_count(rules); i++) {
            rule_look(v);
            check_steps(v, it, value_item(rules, i));
        }
    }
}

static void uploads_end(struct verify *v)
{
    if (!needs_buckets(v)) return;
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct plan_resource *config = of_bucket(v, "aws_s3_bucket_lifecycle_configuration", it);
        const struct value *rules = config ? plan_get(config, "rule") : NULL;
        bool found = false, ends = false;
        rule_look(v);
        for (size_t i = 0; i < value_count(rules); i++) {
            const struct value *rule = value_item(rules, i);
            bool on = rule_is(value_str(value_get(rule, S("status"))), "Enabled");
            found = found ||
                    (on &&
                     value_count(value_get(rule, S("abort_incomplete_multipart_upload"))) > 0);
            ends = ends ||
                   (on && (value_count(value_get(rule, S("noncurrent_version_expiration"))) > 0));
        }
        if (!found)
            rule_find(v, config ? config : it, "add a rule with abort_incomplete_multipart_upload",
                      "uploads that were never finished are kept and paid for");
        struct plan_resource *versioning = of_bucket(v, "aws_s3_bucket_versioning", it);
        bool versions = versioning &&
                        rule_is(plan_text(versioning, "versioning_configuration.status"),
                                "Enabled");
        if (found && versions && !ends)
            rule_find(v, config, "add noncurrent_version_expiration",
                      "old versions are kept for ever");
    }
}

/* The class that a rule is for: tag `class` of its filter. */
static struct px_str rule_class(const struct value *rule)
{
    const struct value *filter = value_item(value_get(rule, S("filter")), 0);
    const struct value *tag = value_item(value_get(filter, S("tag")), 0);
    if (!tag) tag = value_item(value_get(value_item(value_get(filter, S("and")), 0), S("tags")), 0);
    if (!rule_is(value_str(value_get(tag, S("key"))), "class")) return S("");
    return value_str(value_get(tag, S("value")));
}

static bool same_steps(const struct value *rule, const struct value *transitions)
{
    struct step steps[8];
    size_t count = steps_of(rule, steps);
    if (count != value_count(transitions)) return false;
    for (size_t i = 0; i < count; i++) {
        const struct value *want = value_item(transitions, i);
        if (steps[i].days != value_num(value_get(want, S("after_days")), -1)) return false;
        if (!steps[i].to ||
            !rule_is(value_str(value_get(want, S("storage_class"))), steps[i].to->name))
            return false;
    }
    return true;
}

static struct plan_resource *bucket_called(struct verify *v, const char *part)
{
    struct px_str want = px_arena_printf(v->arena, "%.*s-%s-", PX_FMT(v->plan->prefix), part);
    struct px_str whole = px_arena_printf(v->arena, "%.*s-%s", PX_FMT(v->plan->prefix), part);
    struct px_str copy = px_arena_printf(v->arena, "%.*s-%s-replica", PX_FMT(v->plan->prefix),
                                         part);
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        struct px_str name = plan_text(it, "bucket");
        bool fits = px_str_starts(name, want) || px_str_eq(name, whole);
        if (fits && !px_str_starts(name, copy)) return it;
    }
    return NULL;
}

static void lifecycle_equal(struct verify *v)
{
    const struct value *list = value_get(v->lifecycle, S("classes"));
    if (!rule_has(v, v->lifecycle, "lifecycle.json")) return;
    struct plan_resource *bucket = bucket_called(v, "analytics");
    rule_look(v);
    if (!bucket) {
        rule_find(v, NULL, "module storage makes it", "there is no analytics bucket");
        return;
    }
    struct plan_resource *config = of_bucket(v, "aws_s3_bucket_lifecycle_configuration", bucket);
    const struct value *rules = config ? plan_get(config, "rule") : NULL;
    for (size_t c = 0; c < value_count(list); c++) {
        const struct value *class = value_item(list, c),
                           *steps = value_get(class, S("transitions"));
        struct px_str name = value_str(value_get(class, S("name")));
        const struct value *own = NULL;
        rule_look(v);
        for (size_t i = 0; i < value_count(rules); i++) {
            if (px_str_eq(rule_class(value_item(rules, i)), name)) own = value_item(rules, i);
        }
        if (value_count(steps) > 0 && !own)
            rule_find(v, config ? config : bucket,
                      "make one rule for each class of platform/lifecycle.json",
                      "class %.*s of platform/lifecycle.json has no rule", PX_FMT(name));
        else if (own && !same_steps(own, steps))
            rule_find(
                v, config, "take days and classes from platform/lifecycle.json",
                "the rule of class %.*s moves data otherwise than platform/lifecycle.json says",
                PX_FMT(name));
    }
}

/* ---- replication ---- */

static void replicated(struct verify *v)
{
    static const char *const names[] = {"segments", "analytics"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        struct plan_resource *bucket = bucket_called(v, names[i]);
        rule_look(v);
        if (!bucket) {
            rule_find(v, NULL, "module storage makes it", "there is no %s bucket", names[i]);
            continue;
        }
        struct plan_resource *config = of_bucket(v, "aws_s3_bucket_replication_configuration",
                                                 bucket);
        if (!config) {
            if (!rule_is_dev(v))
                rule_find(v, bucket, "set replica_region",
                          "the bucket is not copied to another region");
            continue;
        }
        const struct value *destination = plan_get(config, "rule.destination");
        struct plan_resource *copy = plan_target(v->plan,
                                                 plan_get(config, "rule.destination.bucket"));
        if (!rule_is(plan_text(config, "rule.status"), "Enabled"))
            rule_find(v, config, "set its status to Enabled", "replication is switched off");
        if (copy && px_str_eq(plan_text(copy, "region"), plan_text(bucket, "region")))
            rule_find(v, config, "copy to a bucket of another region",
                      "the copy is in the same region %.*s", PX_FMT(plan_text(copy, "region")));
        if (value_count(destination) == 0)
            rule_find(v, config, "name the bucket of the other region",
                      "replication has no destination");
        if (!plan_is_set(config, "rule.destination.encryption_configuration.replica_kms_key_id"))
            rule_find(
                v, config, "name the key of the other region in encryption_configuration",
                "objects that are encrypted with KMS are not copied without a key for the copy");
    }
}

static void kept_in_prod(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_s3_bucket", it)) {
        rule_look(v);
        if (rule_is_prod(v) && plan_truth(it, "force_destroy") && !is_short_lived(v, it))
            rule_find(v, it, "set force_destroy = false in prod",
                      "destroying the stack would destroy the data in it");
    }
}

/* ---- file systems ---- */

static bool is_replica(struct verify *v, struct plan_resource *it)
{
    return rule_companion(v, "aws_efs_replication_configuration", "destination.file_system_id",
                          it) != NULL;
}

static void throughput(struct verify *v)
{
    if (!rule_needs(v, "aws_efs_file_system", "module storage makes the hot store")) return;
    for (plan_each(v->plan, "aws_efs_file_system", it)) {
        double mib = plan_number(it, "provisioned_throughput_in_mibps", 0);
        rule_look(v);
        if (is_replica(v, it)) continue; /* it follows the original's writes only */
        if (!rule_is(plan_text(it, "throughput_mode"), "provisioned"))
            rule_find(v, it, "set throughput_mode = \"provisioned\"",
                      "throughput is %.*s: it is not there when it is needed most",
                      PX_FMT(rule_shown(v, it, "throughput_mode")));
        else if (mib < 1 || mib > 3414)
            rule_find(v, it, "compute it from expected rates, 1 to 3414 MiB/s",
                      "provisioned throughput is %.0f MiB/s", mib);
    }
}

static void mount_targets(struct verify *v)
{
    for (plan_each(v->plan, "aws_efs_file_system", it)) {
        struct px_str zones[16];
        size_t count = 0;
        if (is_replica(v, it)) continue;
        rule_look(v);
        for (plan_each(v->plan, "aws_efs_mount_target", target)) {
            struct plan_resource *subnet = plan_target(v->plan, plan_get(target, "subnet_id"));
            struct px_str zone = subnet ? plan_text(subnet, "availability_zone") : target->address;
            bool known = !rule_names(v, plan_get(target, "file_system_id"), it);
            for (size_t i = 0; i < count; i++) known = known || px_str_eq(zones[i], zone);
            if (!known && count < PX_COUNT(zones)) zones[count++] = zone;
        }
        if (count != 3)
            rule_find(v, it, "make one mount target per zone",
                      "the file system can be mounted in %zu zones, not three", count);
    }
    rule_look(v);
}

static void access_points(struct verify *v)
{
    const struct value *shards = rule_shards(v);
    for (plan_each(v->plan, "aws_efs_access_point", it)) {
        struct px_str path = plan_text(it, "root_directory.path");
        double uid = plan_number(it, "posix_user.uid", 0),
               gid = plan_number(it, "posix_user.gid", 0);
        rule_look(v);
        if (uid < 1 || gid < 1)
            rule_find(v, it, "give it a uid and gid of its own",
                      "whoever mounts it acts as root or as it likes");
        if (path.len < 2)
            rule_find(v, it, "give it a folder below /shards", "it opens the whole file system");
        for (plan_each(v->plan, "aws_efs_access_point", other))
            if (other->order > it->order &&
                (px_str_eq(plan_text(other, "root_directory.path"), path) ||
                 plan_number(other, "posix_user.uid", -1) == uid))
                rule_find(v, other, "give each access point its own folder and uid",
                          "it shares its folder or uid with %.*s", PX_FMT(it->address));
    }
    for (size_t i = 0; value_is(shards, VALUE_MAP) && i < shards->map.count; i++) {
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_efs_access_point", it))
            found = found || px_str_eq(value_str(it->key), shards->map.fields[i].name) ||
                    px_str_ends(plan_text(it, "root_directory.path"), shards->map.fields[i].name);
        if (!found)
            rule_find(v, NULL, "make one access point per shard", "shard %.*s has no access point",
                      PX_FMT(shards->map.fields[i].name));
    }
}

static void backups(struct verify *v)
{
    for (plan_each(v->plan, "aws_efs_file_system", it)) {
        struct plan_resource *policy = rule_companion(v, "aws_efs_backup_policy", "file_system_id",
                                                      it);
        bool own = policy && rule_is(plan_text(policy, "backup_policy.status"), "ENABLED");
        if (is_replica(v, it)) continue;
        rule_look(v);
        for (plan_each(v->plan, "aws_backup_selection", selection))
            own = own || rule_names(v, plan_get(selection, "resources"), it);
        if (!own)
            rule_find(v, it, "add it to a backup plan's selection",
                      "the file system is not backed up");
    }
    for (plan_each(v->plan, "aws_backup_plan", it)) {
        const struct value *rules = plan_get(it, "rule");
        for (size_t i = 0; i < value_count(rules); i++) {
            const struct value *lifecycle = value_item(
                value_get(value_item(rules, i), S("lifecycle")), 0);
            double days = value_num(value_get(lifecycle, S("delete_after")), 0);
            rule_look(v);
            if (days > 0 && days < 7)
                rule_find(v, it, "keep backups for 7 days or more",
                          "backups are deleted after %.0f days", days);
        }
    }
    rule_look(v);
}

static void warm_up(struct verify *v)
{
    for (plan_each(v->plan, "aws_efs_file_system", it)) {
        rule_look(v);
        if (rule_is(plan_text(it, "performance_mode"), "maxIO"))
            rule_find(v, it, "set performance_mode = \"generalPurpose\"",
                      "maxIO answers every small write later");
        if (plan_is_set(it, "availability_zone_name"))
            rule_find(v, it, "remove availability_zone_name",
                      "the file system is in one zone only");
    }
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
const struct verify_rule rules_storage[] = {
    {"PV-STO-01", "Buckets keep versions", BUCKETS,
     "versioning is enabled, unless everything in the bucket expires within a week", BOTH,
     VERIFY_ERROR, versioned},
    {"PV-STO-02", "Buckets cannot be made public", BUCKETS,
     "all four flags of the public access block", BOTH, VERIFY_ERROR, not_public},
    {"PV-STO-03", "Objects belong to the bucket's owner", BUCKETS,
     "ownership is BucketOwnerEnforced", BOTH, VERIFY_ERROR, owned},
    {"PV-STO-04", "Lifecycles are legal", CLASSES,
     "days before which AWS refuses a move, order of classes, minimum durations, expiration after "
     "them",
     BOTH, VERIFY_ERROR, lifecycle_legal},
    {"PV-STO-05", "Lifecycles are those of lifecycle.json", LIFECYCLE,
     "each class of platform/lifecycle.json has its rule with its days and classes", VERIFY_REGION,
     VERIFY_ERROR, lifecycle_equal},
    {"PV-STO-06", "Leftovers end", LIFECYCLE, "incomplete uploads are aborted, old versions expire",
     BOTH, VERIFY_ERROR, uploads_end},
    {"PV-STO-07", "Data is copied to another region", BUCKETS,
     "segments and analytics replicate to a bucket of another region with a key of that region; in "
     "dev they may do without",
     VERIFY_REGION, VERIFY_ERROR, replicated},
    {"PV-STO-08", "Nothing destroys data in prod by the way", BUCKETS,
     "force_destroy is off in prod", BOTH, VERIFY_ERROR, kept_in_prod},
    {"PV-STO-09", "The hot store's throughput is provisioned", THROUGHPUT,
     "mode provisioned, 1 to 3414 MiB/s", VERIFY_REGION, VERIFY_ERROR, throughput},
    {"PV-STO-10", "The hot store can be mounted in each zone", TARGETS,
     "mount targets are followed to their subnets' zones", VERIFY_REGION, VERIFY_ERROR,
     mount_targets},
    {"PV-STO-11", "Access points separate", POINTS,
     "each has its own folder and uid, and each shard has one", VERIFY_REGION, VERIFY_ERROR,
     access_points},
    {"PV-STO-12", "The hot store is backed up",
     "Mount targets are deployed across multiple availability zones to provide high availability and "
     "fault tolerance.",
     "a backup policy or selection, and backups for a week or more", VERIFY_REGION, VERIFY_ERROR,
     backups},
    {"PV-STO-13", "The hot store is fast and in all zones",
     "Regional EFS filesystems provide hot storage for recent telemetry data with configuration "
     "optimized for high-throughput sequential and random access patterns.",
     "performance mode and zones", VERIFY_REGION, VERIFY_ERROR, warm_up},
    {0},
};
