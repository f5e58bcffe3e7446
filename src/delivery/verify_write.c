/* delivery/verify_write.c - findings as text, JSON and SARIF 2.1.0.
 * SARIF: docs.oasis-open.org/sarif/sarif/v2.1.0. */
#include "delivery/verify.h"

#include <ctype.h>

static const char *level_name(const struct verify_rule *rule)
{
    return rule->level == VERIFY_ERROR ? "error" : "warning";
}

static const char *kind_name(const struct plan *plan)
{
    return plan->kind == PLAN_GLOBAL ? "global" : "region";
}

static size_t applied_count(const struct verify *v)
{
    size_t count = 0;
    for (size_t i = 0; verify_rule_at(i); i++) count += v->tallies[i].applied;
    return count;
}

/* ---- text ---- */

/* What a plan says goes to people's terminals: control characters are shown, not obeyed. */
static void put(FILE *to, struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            (void)fprintf(to, "\\x%02x", c);
        else
            (void)fputc(c, to);
    }
}

static void write_finding(const struct verify *v, const struct verify_finding *f, FILE *to)
{
    (void)fprintf(to, "%s: %s: ", f->rule->id, level_name(f->rule));
    if (v->plan_count > 1) {
        put(to, px_str_c(f->plan->name));
        (void)fputs(": ", to);
    }
    if (f->address.len > 0) {
        put(to, f->address);
        (void)fputs(": ", to);
    }
    put(to, f->message);
    (void)fprintf(to, "\n    fix: %.*s\n", PX_FMT(f->fix));
}

static void write_tallies(const struct verify *v, FILE *to)
{
    for (size_t i = 0; verify_rule_at(i); i++) {
        const struct verify_rule *rule = verify_rule_at(i);
        const struct verify_tally *tally = &v->tallies[i];
        if (!verify_is_wanted(v->options, rule)) continue;
        if (!tally->applied)
            (void)fprintf(to, "%-11s not applicable: no such stack   %s\n", rule->id, rule->title);
        else
            (void)fprintf(to, "%-11s %5zu looked at, %3zu findings   %s\n", rule->id,
                          tally->looked_at, tally->findings, rule->title);
    }
}

void verify_write_text(const struct verify *v, bool verbose, FILE *to)
{
    for (const struct verify_finding *f = v->findings; f; f = f->next) {
        write_finding(v, f, to);
        if (verbose)
            (void)fprintf(to, "    rule: %s\n    seed: %s\n", f->rule->title, f->rule->seed);
    }
    if (verbose) write_tallies(v, to);
    for (size_t i = 0; i < v->plan_count; i++)
        if (v->plans[i]->note.len > 0) {
            (void)fputs("note: ", to);
            put(to, px_str_c(v->plans[i]->name));
            (void)fputs(": ", to);
            put(to, v->plans[i]->note);
            (void)fputc('\n', to);
        }
    (void)fprintf(to, "%zu finding%s; %zu rules on %zu plan%s\n", v->finding_count,
                  v->finding_count == 1 ? "" : "s", applied_count(v), v->plan_count,
                  v->plan_count == 1 ? "" : "s");
}

void verify_list(const struct verify_options *options, FILE *to)
{
    for (size_t i = 0; verify_rule_at(i); i++) {
        const struct verify_rule *rule = verify_rule_at(i);
        if (!verify_is_wanted(options, rule)) continue;
        (void)fprintf(to, "%s (%s): %s\n    proves: %s\n    seed: %s\n", rule->id, level_name(rule),
                      rule->title, rule->proves, rule->seed);
    }
}

/* ---- JSON ---- */

static void add_field(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, "\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void add_field_c(struct px_buf *buf, const char *name, const char *text)
{
    add_field(buf, name, px_str_c(text));
}

static void add_rule(struct px_buf *buf, const struct verify_rule *rule)
{
    add_field_c(buf, "id", rule->id);
    px_buf_add_char(buf, ',');
    add_field_c(buf, "level", level_name(rule));
    px_buf_add_char(buf, ',');
    add_field_c(buf, "title", rule->title);
    px_buf_add_char(buf, ',');
    add_field_c(buf, "proves", rule->proves);
    px_buf_add_char(buf, ',');
    add_field_c(buf, "seed", rule->seed);
}

static void add_finding(struct px_buf *buf, const struct verify_finding *f)
{
    px_buf_add_char(buf, '{');
    add_field_c(buf, "rule", f->rule->id);
    px_buf_add_char(buf, ',');
    add_field_c(buf, "level", level_name(f->rule));
    px_buf_add_char(buf, ',');
    add_field_c(buf, "plan", f->plan->name);
    px_buf_add_char(buf, ',');
    add_field(buf, "address", f->address);
    px_buf_add_char(buf, ',');
    add_field(buf, "message", f->message);
    px_buf_add_char(buf, ',');
    add_field(buf, "fix", f->fix);
    px_buf_add_char(buf, '}');
}

static void add_plans(const struct verify *v, struct px_buf *buf)
{
    for (size_t i = 0; i < v->plan_count; i++) {
        const struct plan *plan = v->plans[i];
        px_buf_add_c(buf, i > 0 ? ",{" : "{");
        add_field_c(buf, "name", plan->name);
        px_buf_add_char(buf, ',');
        add_field_c(buf, "stack", kind_name(plan));
        px_buf_add_char(buf, ',');
        add_field(buf, "environment", plan->environment);
        px_buf_add_char(buf, ',');
        add_field(buf, "region", plan->region);
        px_buf_printf(buf, ",\"resources\":%zu,\"sources\":%s", plan->resource_count,
                      plan->config->from_sources ? "true" : "false");
        if (plan->note.len > 0) {
            px_buf_add_char(buf, ',');
            add_field(buf, "note", plan->note);
        }
        px_buf_add_char(buf, '}');
    }
}

void verify_write_json(const struct verify *v, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"plans\":[");
    add_plans(v, buf);
    px_buf_add_c(buf, "],\"findings\":[");
    for (const struct verify_finding *f = v->findings; f; f = f->next) {
        if (f != v->findings) px_buf_add_char(buf, ',');
        add_finding(buf, f);
    }
    px_buf_add_c(buf, "],\"rules\":[");
    for (size_t i = 0, n = 0; verify_rule_at(i); i++) {
        const struct verify_rule *rule = verify_rule_at(i);
        if (!verify_is_wanted(v->options, rule)) continue;
        px_buf_add_c(buf, n++ > 0 ? ",{" : "{");
        add_rule(buf, rule);
        px_buf_printf(buf, ",\"applied\":%s,\"looked_at\":%zu,\"findings\":%zu}",
                      v->tallies[i].applied ? "true" : "false", v->tallies[i].looked_at,
                      v->tallies[i].findings);
    }
    px_buf_add_c(buf, "]}\n");
}

void verify_list_json(const struct verify_options *options, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"rules\":[");
    for (size_t i = 0, n = 0; verify_rule_at(i); i++) {
        if (!verify_is_wanted(options, verify_rule_at(i))) continue;
        px_buf_add_c(buf, n++ > 0 ? ",{" : "{");
        add_rule(buf, verify_rule_at(i));
        px_buf_add_char(buf, '}');
    }
    px_buf_add_c(buf, "]}\n");
}

/* ---- SARIF ---- */

static void add_text_object(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, "\"%s\":{", name);
    add_field(buf, "text", text);
    px_buf_add_char(buf, '}');
}

/* PV-NET-01 in the shape that viewers show as a name: its title without spaces. */
static void add_pascal(struct px_buf *buf, const char *title)
{
    bool upper = true;
    px_buf_add_c(buf, "\"name\":\"");
    for (; *title; title++) {
        if (isalnum((unsigned char)*title)) {
            px_buf_add_char(buf, upper ? (char)toupper((unsigned char)*title) : *title);
            upper = false;
        } else {
            upper = true;
        }
    }
    px_buf_add_char(buf, '"');
}

static void add_descriptor(struct px_buf *buf, const struct verify_rule *rule)
{
    px_buf_add_char(buf, '{');
    add_field_c(buf, "id", rule->id);
    px_buf_add_char(buf, ',');
    add_pascal(buf, rule->title);
    px_buf_add_char(buf, ',');
    add_text_object(buf, "shortDescription", px_str_c(rule->title));
    px_buf_add_char(buf, ',');
    add_text_object(buf, "fullDescription", px_str_c(rule->proves));
    px_buf_add_char(buf, ',');
    add_text_object(buf, "help", px_str_c(rule->seed));
    px_buf_printf(buf, ",\"defaultConfiguration\":{\"level\":\"%s\"}}", level_name(rule));
}

/* A file's name as a URI reference (RFC 3986), since it may hold blanks and what not. */
static void add_uri(struct px_buf *buf, const char *name)
{
    px_buf_add_c(buf, "\"uri\":\"");
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if ((*c < 0x80 && isalnum(*c)) || strchr("-._~/", *c))
            px_buf_add_char(buf, (char)*c);
        else
            px_buf_printf(buf, "%%%02X", *c);
    }
    px_buf_add_char(buf, '"');
}

static void add_location(struct px_buf *buf, const struct verify_finding *f)
{
    px_buf_add_c(buf, "\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{");
    add_uri(buf, f->plan->name);
    px_buf_add_c(buf, "}},\"logicalLocations\":[{");
    add_field(buf, "fullyQualifiedName",
              f->address.len > 0 ? f->address : px_str_c(kind_name(f->plan)));
    px_buf_printf(buf, ",\"kind\":\"%s\"}]}]", f->address.len > 0 ? "resource" : "module");
}

static size_t index_of(const struct verify_rule *rule)
{
    size_t i = 0;
    while (verify_rule_at(i) != rule) i++;
    return i;
}

static void add_result(const struct verify *v, struct px_buf *buf, const struct verify_finding *f)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    px_buf_printf(&text, "%.*s. Fix: %.*s.", PX_FMT(f->message), PX_FMT(f->fix));
    px_buf_add_char(buf, '{');
    add_field_c(buf, "ruleId", f->rule->id);
    px_buf_printf(buf, ",\"ruleIndex\":%zu,\"level\":\"%s\",", index_of(f->rule),
                  level_name(f->rule));
    add_text_object(buf, "message", px_buf_str(&text));
    px_buf_add_char(buf, ',');
    add_location(buf, f);
    px_buf_add_char(buf, '}');
    (void)v;
}

void verify_write_sarif(const struct verify *v, const char *version, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                      "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
                      "\"name\":\"prism verify\",");
    add_field_c(buf, "semanticVersion", version);
    px_buf_add_c(buf, ",\"rules\":[");
    for (size_t i = 0; verify_rule_at(i); i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        add_descriptor(buf, verify_rule_at(i));
    }
    px_buf_add_c(buf, "]}},\"artifacts\":[");
    for (size_t i = 0; i < v->plan_count; i++) {
        px_buf_add_c(buf, i > 0 ? ",{\"location\":{" : "{\"location\":{");
        add_uri(buf, v->plans[i]->name);
        px_buf_add_c(buf, "}}");
    }
    px_buf_add_c(buf, "],\"results\":[");
    for (const struct verify_finding *f = v->findings; f; f = f->next) {
        if (f != v->findings) px_buf_add_char(buf, ',');
        add_result(v, buf, f);
    }
    px_buf_add_c(buf, "]}]}\n");
}
