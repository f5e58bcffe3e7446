/* config/jsonnet.cpp - see jsonnet.h. The one file that is C++: the core is, and what it knows of places it tells C++ alone.
 *
 * tools/setup puts three names into the core's evaluator (vm.cpp): PRISM_JSONNET_CHARGE for every value that is made,
 * PRISM_JSONNET_STEP for every expression, and PrismTrace as a friend of Interpreter. They are defined here. */
#include "config/jsonnet.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "static_error.h"

namespace
{

const char *const STANDARD_LIBRARY = "std.jsonnet"; /* the core's own name for it */

struct OverBudget {
    jsonnet::internal::LocationRange place;
    std::string what;
};

struct Budget {
    uint64_t steps, bytes;
    jsonnet::internal::LocationRange place;

    void step(const jsonnet::internal::LocationRange &at)
    {
        if (steps-- == 0) throw OverBudget{place, "it takes too many steps"};
        if ((steps & 63) == 0 && at.isSet() && at.file != STANDARD_LIBRARY) place = at;
    }
    void charge(uint64_t more)
    {
        if (more > bytes) throw OverBudget{place, "it makes too many or too large values"};
        bytes -= more;
    }
};

/* The evaluator's methods have no parameter to pass it by. */
thread_local Budget *budget_of_thread;

struct BudgetScope {
    explicit BudgetScope(Budget *budget) { budget_of_thread = budget; }
    ~BudgetScope() { budget_of_thread = nullptr; }
};

} // namespace

#define PRISM_JSONNET_STEP(at)                                                                     \
    do {                                                                                           \
        if (budget_of_thread) budget_of_thread->step(at);                                          \
    } while (0)
#define PRISM_JSONNET_CHARGE(n)                                                                    \
    do {                                                                                           \
        if (budget_of_thread) budget_of_thread->charge(n);                                         \
    } while (0)

namespace jsonnet::internal
{
namespace
{
struct PrismTrace;
}
} // namespace jsonnet::internal

#include <vm.cpp> // NOLINT(bugprone-suspicious-include)

namespace jsonnet::internal
{
namespace
{

constexpr int HOPS_MAX = 16, TRACE_MAX = 8;

struct Layer {
    const AST *expr;
    bool extends; /* by +: */
};

struct TooLarge {
};

/* Walks a value and writes it. */
struct PrismTrace {
    Interpreter &vm;
    const jsonnet_bounds &bounds;
    std::string out;
    std::vector<std::string> files;
    std::map<std::string, size_t> file_index;
    std::vector<RuntimeError> faults;

    PrismTrace(Interpreter &machine, const jsonnet_bounds &limits) : vm(machine), bounds(limits) {}

    void put(const std::string &text)
    {
        if (out.size() + text.size() > bounds.output_bytes_max) throw TooLarge{};
        out += text;
    }
    static std::string quoted(const UString &text)
    {
        return encode_utf8(jsonnet_string_unparse(text, false));
    }
    static std::string quoted(const std::string &text) { return quoted(decode_utf8(text)); }

    std::string place(const LocationRange &at)
    {
        auto known = file_index.find(at.file);
        if (known == file_index.end()) {
            known = file_index.emplace(at.file, files.size()).first;
            files.push_back(at.file);
        }
        std::string text = "[";
        text += std::to_string(known->second);
        for (unsigned long n : {at.begin.line, at.begin.column, at.end.line, at.end.column})
            text += "," + std::to_string(n);
        return text + "]";
    }

    /* What a field says, without the names that surround it and without the core's rewriting of +:. */
    static Layer layer_of(const AST *body)
    {
        while (body->type == AST_LOCAL) body = static_cast<const Local *>(body)->body;
        if (body->type != AST_CONDITIONAL) return {body, false};
        auto *choice = static_cast<const Conditional *>(body);
        if (choice->cond->type != AST_IN_SUPER || choice->branchTrue->type != AST_BINARY)
            return {body, false};
        auto *sum = static_cast<const Binary *>(choice->branchTrue);
        if (sum->left->type != AST_SUPER_INDEX) return {body, false};
        return {choice->branchFalse, true};
    }

    /* Every expression of a field, that which counts first. */
    void layers(const Identifier *name, HeapObject *object, std::vector<Layer> &found)
    {
        if (auto *both = dynamic_cast<HeapExtendedObject *>(object)) {
            layers(name, both->right, found);
            layers(name, both->left, found);
        } else if (auto *part = dynamic_cast<HeapRestrictedObject *>(object)) {
            if (part->retainedKeys.count(name)) layers(name, part->obj, found);
        } else if (auto *simple = dynamic_cast<HeapSimpleObject *>(object)) {
            auto field = simple->fields.find(name);
            if (field != simple->fields.end()) found.push_back(layer_of(field->second.body));
        } else if (auto *made = dynamic_cast<HeapComprehensionObject *>(object)) {
            if (made->compValues.count(name)) found.push_back(layer_of(made->value));
        }
    }

    void unwind(unsigned frames)
    {
        while (vm.stack.size() > frames) vm.stack.pop();
    }

    void bind(const Local &local)
    {
        HeapObject *self;
        unsigned offset;
        vm.stack.getSelfBinding(self, offset);
        vm.stack.newFrame(FRAME_LOCAL, static_cast<const AST *>(&local));
        for (const auto &one : local.binds) {
            auto *thunk = vm.makeHeap<HeapThunk>(one.var, self, offset, one.body);
            vm.stack.top().bindings[one.var] = thunk;
        }
        for (const auto &one : local.binds) {
            BindingFrame seen = vm.capture(one.body->freeVariables);
            vm.stack.top().bindings[one.var]->upValues = seen;
        }
    }

    /* One hop nearer to where a value was written; null: it is made here. */
    const AST *nearer(const AST *expr, bool &last)
    {
        switch (expr->type) {
        case AST_LOCAL:
            bind(*static_cast<const Local *>(expr));
            return static_cast<const Local *>(expr)->body;
        case AST_CONDITIONAL: {
            auto *choice = static_cast<const Conditional *>(expr);
            if (layer_of(expr).extends) return nullptr;
            vm.evaluate(choice->cond, vm.stack.size());
            if (vm.scratch.t != Value::BOOLEAN) return nullptr;
            return vm.scratch.v.b ? choice->branchTrue : choice->branchFalse;
        }
        case AST_VAR: {
            HeapThunk *thunk = vm.stack.lookUpVar(static_cast<const Var *>(expr)->id);
            if (!thunk || !thunk->body) return nullptr;
            last = thunk->filled; /* it has let its surroundings go */
            if (!last)
                vm.stack.newCall(expr->location, thunk, thunk->self, thunk->offset,
                                 thunk->upValues);
            return thunk->body;
        }
        case AST_INDEX: {
            auto *index = static_cast<const Index *>(expr);
            if (!index->index || index->index->type != AST_LITERAL_STRING) return nullptr;
            vm.evaluate(index->target, vm.stack.size());
            if (vm.scratch.t != Value::OBJECT) return nullptr;
            Value held = vm.scratch;
            auto *object = static_cast<HeapObject *>(held.v.h);
            auto *name = vm.alloc->makeIdentifier(
                static_cast<const LiteralString *>(index->index)->value);
            unsigned unused = 0;
            if (!vm.findObject(name, object, 0, unused)) return nullptr;
            const AST *body = vm.objectIndex(expr->location, object, name, 0);
            vm.stack.top().val = held;
            return body;
        }
        default: return nullptr;
        }
    }

    LocationRange origin(const AST *body)
    {
        unsigned frames = vm.stack.size();
        Value held = vm.scratch;
        bool last = false;
        for (int hops = 0; hops < HOPS_MAX && !last; hops++) {
            const AST *next = nearer(body, last);
            if (!next) break;
            body = next;
        }
        unwind(frames);
        vm.scratch = held;
        return layer_of(body).expr->location;
    }

    void note_fault(const RuntimeError &error)
    {
        put("\"t\":\"fault\",\"fault\":" + std::to_string(faults.size()));
        faults.push_back(error);
    }

    /* The places of the expression whose frame is on top of the stack. */
    void note_places(const AST *body, const std::vector<Layer> &all)
    {
        const LocationRange at = layer_of(body).expr->location;
        put("\"at\":" + place(at) + ",");
        if (all.size() > 1) {
            put("\"over\":[");
            for (size_t i = 1; i < all.size(); i++)
                put((i > 1 ? "," : "") + place(all[i].expr->location));
            put("],");
        }
        LocationRange from = origin(body);
        if (from.isSet() && (from.file != at.file || from.begin.line != at.begin.line ||
                             from.begin.column != at.begin.column))
            put("\"from\":" + place(from) + ",");
    }

    /* A field or an item: its frame is on the stack. held: what it is part of. */
    void walk_part(const AST *body, const std::vector<Layer> &all, bool filled,
                   const Value &content, unsigned depth)
    {
        size_t begin = out.size();
        unsigned frames = vm.stack.size();
        put("{");
        try {
            if (!filled) note_places(body, all);
            if (filled) {
                put("\"at\":" + place(layer_of(body).expr->location) + ",");
                vm.scratch = content;
            } else {
                vm.evaluate(body, vm.stack.size());
            }
            walk(body->location, depth);
        } catch (const RuntimeError &error) {
            unwind(frames);
            out.resize(begin);
            put("{\"at\":" + place(layer_of(body).expr->location) + ",");
            note_fault(error);
        }
        put("}");
    }

    void walk_object(const LocationRange &loc, unsigned depth)
    {
        Value held = vm.scratch;
        auto *object = static_cast<HeapObject *>(held.v.h);
        vm.runInvariants(loc, object);
        vm.scratch = held;
        std::map<UString, const Identifier *> fields;
        for (const auto *name : vm.objectFields(object, true)) fields[name->name] = name;
        put("\"t\":\"object\",\"fields\":{");
        bool first = true;
        for (const auto &field : fields) {
            std::vector<Layer> all;
            layers(field.second, object, all);
            put((first ? "" : ",") + quoted(field.first) + ":");
            first = false;
            const AST *body = vm.objectIndex(loc, object, field.second, 0);
            vm.stack.top().val = held;
            walk_part(body, all, false, held, depth + 1);
            vm.scratch = held;
            vm.stack.pop();
        }
        put("}");
    }

    void walk_array(const LocationRange &loc, unsigned depth)
    {
        Value held = vm.scratch;
        auto *array = static_cast<HeapArray *>(held.v.h);
        const std::vector<Layer> none;
        put("\"t\":\"array\",\"items\":[");
        bool first = true;
        for (auto *thunk : array->elements) {
            bool filled = thunk->filled;
            put(first ? "" : ",");
            first = false;
            vm.stack.newCall(loc, thunk, filled ? nullptr : thunk->self, filled ? 0 : thunk->offset,
                             filled ? BindingFrame{} : thunk->upValues);
            vm.stack.top().val = held;
            if (thunk->body) {
                walk_part(thunk->body, none, filled, thunk->content, depth + 1);
            } else { /* made by a function of the core */
                put("{\"at\":" + place(loc) + ",");
                vm.scratch = thunk->content;
                walk(loc, depth + 1);
                put("}");
            }
            vm.scratch = held;
            vm.stack.pop();
        }
        put("]");
    }

    /* The value in scratch. */
    void walk(const LocationRange &loc, unsigned depth)
    {
        if (depth > bounds.depth_max) throw vm.makeError(loc, "values are nested too deeply");
        switch (vm.scratch.t) {
        case Value::OBJECT: walk_object(loc, depth); break;
        case Value::ARRAY: walk_array(loc, depth); break;
        case Value::STRING:
            put("\"t\":\"string\",\"v\":" +
                quoted(static_cast<HeapString *>(vm.scratch.v.h)->value));
            break;
        case Value::NUMBER:
            put("\"t\":\"number\",\"v\":" + jsonnet_unparse_number(vm.scratch.v.d));
            break;
        case Value::BOOLEAN:
            put(std::string("\"t\":\"boolean\",\"v\":") + (vm.scratch.v.b ? "true" : "false"));
            break;
        case Value::NULL_TYPE: put("\"t\":\"null\",\"v\":null"); break;
        default:
            throw vm.makeError(
                loc, "a function is no value of a setting: call it, or hide the field with ::");
        }
    }

    /* Of the whole. */
    void walk_root(const AST *ast)
    {
        vm.stack.newCall(ast->location, nullptr, nullptr, 0, BindingFrame{});
        unsigned frames = vm.stack.size();
        put("{");
        try {
            vm.evaluate(ast, vm.stack.size());
            vm.stack.top().val = vm.scratch;
            put("\"at\":" + place(layer_of(ast).expr->location) + ",");
            walk(ast->location, 0);
        } catch (const RuntimeError &error) {
            unwind(frames);
            out = "{\"at\":" + place(ast->location) + ",";
            note_fault(error);
        }
        put("}");
    }

    std::string fault_text(const RuntimeError &error)
    {
        std::string text = "{\"message\":" + quoted(error.msg) + ",\"trace\":[";
        int frames = 0;
        for (const auto &frame : error.stackTrace) {
            if (!frame.location.isSet() || frame.location.file == STANDARD_LIBRARY) continue;
            if (++frames > TRACE_MAX) break;
            text += (frames > 1 ? "," : "") + place(frame.location);
        }
        return text + "]}";
    }

    std::string whole()
    {
        std::string said = "\"faults\":[";
        for (size_t i = 0; i < faults.size(); i++)
            said += (i > 0 ? "," : "") + fault_text(faults[i]);
        std::string names = "{\"files\":[";
        for (size_t i = 0; i < files.size(); i++) names += (i > 0 ? "," : "") + quoted(files[i]);
        return names + "]," + said + "],\"root\":" + out + "}";
    }
};

std::string alone(const LocationRange &at, const std::string &message)
{
    std::string where = "[0," + std::to_string(at.begin.line) + "," +
                        std::to_string(at.begin.column) + "," + std::to_string(at.end.line) + "," +
                        std::to_string(at.end.column) + "]";
    return "{\"files\":[" + PrismTrace::quoted(at.file) +
           "],\"faults\":[{\"message\":" + PrismTrace::quoted(message) + ",\"trace\":[" +
           (at.isSet() ? where : "") +
           "]}],\"root\":{\"t\":\"fault\",\"at\":" + (at.isSet() ? where : "[0,1,1,1,1]") +
           ",\"fault\":0}}";
}

struct Importer {
    jsonnet_import *import;
    void *ctx;
};

int import_bytes(void *ctx, const char *base, const char *rel, char **ret_found, char **ret_bytes,
                 size_t *ret_len)
{
    auto *importer = static_cast<Importer *>(ctx);
    char *file = nullptr, *text = nullptr;
    int r = importer->import(importer->ctx, base, rel, &file, &text);
    if (r == 0 && (!file || !text)) throw std::bad_alloc();
    if (r != 0) ::free(file);
    *ret_found = r == 0 ? file : nullptr;
    *ret_bytes = text;
    *ret_len = text ? std::strlen(text) : 0;
    return r == 0 ? 0 : 1;
}

std::string evaluate(const char *file, const char *text, const jsonnet_bounds &bounds,
                     Importer &importer)
{
    Budget budget{bounds.steps_max, bounds.bytes_max,
                  LocationRange(file, Location(1, 1), Location(1, 1))};
    try {
        Allocator alloc;
        Tokens tokens = jsonnet_lex(file, text);
        AST *ast = jsonnet_parse(&alloc, tokens);
        jsonnet_desugar(&alloc, ast, nullptr);
        jsonnet_static_analysis(ast);
        BudgetScope scope(&budget);
        Interpreter vm(&alloc, ExtMap(), bounds.frames_max, 1000, 2.0, VmNativeCallbackMap(),
                       import_bytes, &importer);
        PrismTrace trace(vm, bounds);
        trace.walk_root(ast);
        return trace.whole();
    } catch (const StaticError &error) {
        return alone(error.location, error.msg);
    } catch (const OverBudget &over) {
        return alone(over.place, "evaluation was stopped: " + over.what);
    } catch (const TooLarge &) {
        return alone(LocationRange(file, Location(1, 1), Location(1, 1)),
                     "evaluation was stopped: its result is too large");
    }
}

} // namespace
} // namespace jsonnet::internal

extern "C" int jsonnet_evaluate(const char *file, const char *text, const jsonnet_bounds *bounds,
                                jsonnet_import *import, void *ctx, char **ret_json,
                                size_t *ret_bytes)
{
    try {
        jsonnet::internal::Importer importer{import, ctx};
        std::string json = jsonnet::internal::evaluate(file, text, *bounds, importer);
        char *copy = static_cast<char *>(std::malloc(json.size() + 1));
        if (!copy) return -1;
        std::memcpy(copy, json.c_str(), json.size() + 1);
        *ret_json = copy;
        *ret_bytes = json.size();
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}
