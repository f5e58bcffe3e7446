/* region/model.cpp - see model.h. The one file of the region that is C++: RapidJSON is headers of templates.
 *
 * It has an allocator of its own, since RapidJSON's ask nobody whether there is memory: compiled schemas lie in the caller's arena
 * and are never destroyed, a check has a budget. Both are found by thread, for RapidJSON makes allocators itself, without arguments.
 *
 * Words are those of the validator that API Gateway is known to use, com.github.fge json-schema-validator, with the place put
 * before them, which it leaves out. */
#include "region/model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace
{
struct Broken {
}; /* an assertion of RapidJSON's: a schema's member is not of the kind that it must be */
} // namespace
#define RAPIDJSON_ASSERT_THROWS 1
#define RAPIDJSON_ASSERT(x) (static_cast<bool>(x) ? static_cast<void>(0) : throw Broken())
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace
{

const size_t CHECK_BYTES_MAX = 64u << 20; /* what one body may take while it is looked at */
const unsigned DEPTH_MAX = 64;            /* objects and arrays in each other; a context each */
const size_t VALUE_BYTES_MAX = 80;        /* of a client's value in a message */

struct Arena {
    model_alloc *alloc;
    void *ctx;
};
thread_local const Arena *arena_of_thread;
thread_local size_t budget_of_thread;

struct ArenaScope {
    explicit ArenaScope(const Arena *arena) { arena_of_thread = arena; }
    ~ArenaScope() { arena_of_thread = nullptr; }
};

/* While a model is compiled from the arena, else from the heap within the budget. The block says which. */
class Memory
{
  public:
    static const bool kNeedFree = true;
    void *Malloc(size_t bytes) /* of 0 bytes, too: RapidJSON clears them without a look */
    {
        const bool heap = !arena_of_thread;
        if (heap && bytes + sizeof(Head) > budget_of_thread) throw std::bad_alloc();
        void *p = heap ? std::malloc(bytes + sizeof(Head))
                       : arena_of_thread->alloc(arena_of_thread->ctx, bytes + sizeof(Head));
        if (!p) throw std::bad_alloc();
        Head *head = new (p) Head{bytes, heap, nullptr, nullptr};
        if (!heap) return head + 1;
        budget_of_thread -= bytes + sizeof(Head);
        head->next = blocks;
        if (blocks) blocks->before = head;
        blocks = head;
        return head + 1;
    }
    void *Realloc(void *old, size_t old_bytes, size_t bytes)
    {
        void *p = Malloc(bytes);
        if (p && old) std::memcpy(p, old, std::min(old_bytes, bytes));
        Free(old);
        return p;
    }
    static void Free(void *p)
    {
        if (!p) return;
        Head *head = static_cast<Head *>(p) - 1;
        if (!head->heap) return; /* goes with its arena */
        budget_of_thread += head->bytes + sizeof(Head);
        if (head->next) head->next->before = head->before;
        (head->before ? head->before->next : blocks) = head->next;
        std::free(head);
    }
    /* What a check left behind: validators in each other are not given back when memory ends between them. */
    static void FreeAll()
    {
        while (blocks) Free(blocks + 1);
    }
    /* RapidJSON makes allocators where it was given none. */
    static void *operator new(size_t bytes) { return Memory().Malloc(bytes); }
    static void operator delete(void *p) { Free(p); }
    bool operator==(const Memory &) const { return true; }
    bool operator!=(const Memory &) const { return false; }

  private:
    struct alignas(std::max_align_t) Head {
        size_t bytes;
        bool heap;
        Head *before, *next; /* of the heap's */
    };
    static thread_local Head *blocks;
};
thread_local Memory::Head *Memory::blocks;

using Utf8 = rapidjson::UTF8<>;
using Schemas = rapidjson::GenericSchemaDocument<rapidjson::Value, Memory>;
using Validator =
    rapidjson::GenericSchemaValidator<Schemas, rapidjson::BaseReaderHandler<Utf8>, Memory>;
using Error = Validator::ValueType;

/* A validator that bounds how deep a body is; each level has its context. */
class Bounded
{
  public:
    explicit Bounded(Validator &validator) : to(validator) {}
    bool too_deep = false;

    bool Null() { return to.Null(); }
    bool Bool(bool v) { return to.Bool(v); }
    bool Int(int v) { return to.Int(v); }
    bool Uint(unsigned v) { return to.Uint(v); }
    bool Int64(int64_t v) { return to.Int64(v); }
    bool Uint64(uint64_t v) { return to.Uint64(v); }
    bool Double(double v) { return to.Double(v); }
    bool RawNumber(const char *s, rapidjson::SizeType n, bool copy)
    {
        return to.RawNumber(s, n, copy);
    }
    bool String(const char *s, rapidjson::SizeType n, bool copy) { return to.String(s, n, copy); }
    bool Key(const char *s, rapidjson::SizeType n, bool copy) { return to.Key(s, n, copy); }
    bool StartObject() { return deeper() && to.StartObject(); }
    bool StartArray() { return deeper() && to.StartArray(); }
    bool EndObject(rapidjson::SizeType n) { return --depth, to.EndObject(n); }
    bool EndArray(rapidjson::SizeType n) { return --depth, to.EndArray(n); }

  private:
    Validator &to;
    unsigned depth = 0;
    bool deeper() { return !(too_deep = ++depth > DEPTH_MAX); }
};

/* ---- words ---- */

std::string clipped(std::string text)
{
    if (text.size() <= VALUE_BYTES_MAX) return text;
    size_t end = VALUE_BYTES_MAX;
    while (end && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        end--; /* whole characters */
    return text.substr(0, end) + "...";
}

std::string json_of(const Error &value)
{
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    value.Accept(writer);
    return clipped(std::string(text.GetString(), text.GetSize()));
}

std::string member(const Error &error, const char *name)
{
    auto found = error.FindMember(name);
    return found == error.MemberEnd() ? std::string() : json_of(found->value);
}

std::string bound(const Error &e, const char *what, const char *name)
{
    return std::string("numeric instance is ") + what + " (" + name + ": " + member(e, "expected") +
           ", found: " + member(e, "actual") + ")";
}

size_t characters(const std::string &text)
{
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

std::string length(const Error &e, const char *what, const char *name)
{
    auto found = e.FindMember("actual");
    std::string text = found == e.MemberEnd() || !found->value.IsString()
                           ? std::string()
                           : std::string(found->value.GetString(), found->value.GetStringLength());
    return "string " + member(e, "actual") + " is too " + what +
           " (length: " + std::to_string(characters(text)) + ", " + name + ": " +
           member(e, "expected") + ")";
}

std::string count(const Error &e, const char *thing, const char *what, const char *bound,
                  const char *unit)
{
    return std::string(thing) + " " + what + ": must have at " + bound + " " +
           member(e, "expected") + " " + unit + " but instance has " + member(e, "actual") + " " +
           unit;
}

std::string words(const std::string &keyword, const Error &e)
{
    if (keyword == "required")
        return "object has missing required properties (" + member(e, "missing") + ")";
    if (keyword == "type")
        return "instance type (" +
               clipped(e.HasMember("actual") && e["actual"].IsString() ? e["actual"].GetString()
                                                                       : "") +
               ") does not match any allowed primitive type (allowed: " + member(e, "expected") +
               ")";
    if (keyword == "additionalProperties")
        return "object instance has properties which are not allowed by the schema: [" +
               member(e, "disallowed") + "]";
    if (keyword == "enum") return "instance value not found in enum";
    if (keyword == "pattern") return "regex does not match input string " + member(e, "actual");
    if (keyword == "minimum") return bound(e, "lower than the required minimum", "minimum");
    if (keyword == "maximum") return bound(e, "greater than the required maximum", "maximum");
    if (keyword == "minLength") return length(e, "short", "required minimum");
    if (keyword == "maxLength") return length(e, "long", "maximum allowed");
    if (keyword == "minItems") return count(e, "array is", "too short", "least", "elements");
    if (keyword == "maxItems") return count(e, "array is", "too long", "most", "elements");
    if (keyword == "minProperties")
        return count(e, "object has", "too few properties", "least", "members");
    if (keyword == "maxProperties")
        return count(e, "object has", "too many properties", "most", "members");
    if (keyword == "uniqueItems") return "array must not contain duplicate elements";
    if (keyword == "oneOf") return "instance failed to match exactly one schema";
    if (keyword == "anyOf") return "instance failed to match at least one required schema";
    if (keyword == "allOf") return "instance failed to match all required schemas";
    if (keyword == "not") return "instance matched a schema which it should not have";
    return "instance does not keep " + keyword;
}

/* The first thing that is wrong; RapidJSON stops there. */
std::string why_of(const Error &error)
{
    for (auto it = error.MemberBegin(); it != error.MemberEnd(); ++it) {
        const Error &e = it->value.IsArray() && !it->value.Empty() ? it->value[0] : it->value;
        if (!e.IsObject()) continue;
        std::string place;
        if (e.HasMember("instanceRef") && e["instanceRef"].IsString())
            place = e["instanceRef"].GetString();
        if (!place.empty()) place.erase(0, 1); /* # */
        place = clipped(place);
        return "[" + (place.empty() ? "" : place + ": ") + words(it->name.GetString(), e) + "]";
    }
    return "[]";
}

void say(const std::string &text, char *why, size_t room)
{
    size_t n = std::min(text.size(), room - 1);
    while (n < text.size() && n && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) n--;
    std::memcpy(why, text.data(), n);
    why[n] = '\0';
}

std::string check(const Schemas &schemas, const char *body, size_t bytes)
{
    using Reader = rapidjson::GenericReader<Utf8, Utf8, Memory>;
    Validator validator(schemas);
    Bounded handler(validator);
    Reader reader;
    rapidjson::MemoryStream stream(body, bytes);
    rapidjson::ParseResult parsed =
        reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
            stream, handler);
    if (handler.too_deep)
        return "[more than " + std::to_string(DEPTH_MAX) + " objects and arrays in each other]";
    if (!validator.IsValid()) return why_of(validator.GetError());
    if (parsed.IsError())
        return std::string("[no JSON: ") + rapidjson::GetParseError_En(parsed.Code()) + " Byte " +
               std::to_string(parsed.Offset()) + "]";
    if (stream.Tell() != bytes)
        return "[no JSON: a zero. Byte " + std::to_string(stream.Tell()) + "]";
    return std::string();
}

/* Whether a pattern repeats without end what may be nothing: "(a*)*", "a*+". RapidJSON follows such a loop for ever. What stands in a group is not looked
 * at, so no group may be repeated; "?" makes no loop. */
bool loops(const char *pattern)
{
    enum { ATOM, GROUP, REPEATED } last = ATOM;
    bool in_class = false;
    for (const char *c = pattern; *c; c++) {
        if (*c == '\\' && c[1]) {
            c++;
            last = ATOM;
        } else if (in_class) {
            in_class = *c != ']';
        } else if (*c == '*' || *c == '+' || *c == '{') {
            if (last != ATOM) return true;
            last = REPEATED;
            if (*c == '{') c += std::strcspn(c, "}"); /* its bounds */
            if (!*c) break;
        } else {
            in_class = *c == '[';
            last = *c == ')' ? GROUP : *c == '?' ? REPEATED : ATOM;
        }
    }
    return false;
}

/* The first such pattern of a document, or nullptr. */
const char *first_loop(const rapidjson::Value &document)
{
    std::vector<const rapidjson::Value *> todo{&document};
    while (!todo.empty()) {
        const rapidjson::Value &value = *todo.back();
        todo.pop_back();
        if (value.IsArray())
            for (const auto &item : value.GetArray()) todo.push_back(&item);
        if (!value.IsObject()) continue;
        for (const auto &member : value.GetObject()) {
            const bool is_pattern = std::strcmp(member.name.GetString(), "pattern") == 0;
            if (is_pattern && member.value.IsString() && loops(member.value.GetString()))
                return member.value.GetString();
            if (std::strcmp(member.name.GetString(), "patternProperties") == 0 &&
                member.value.IsObject())
                for (const auto &named : member.value.GetObject())
                    if (loops(named.name.GetString())) return named.name.GetString();
            todo.push_back(&member.value);
        }
    }
    return nullptr;
}

} // namespace

struct models {
    rapidjson::Document document;
    const char
        *loop; /* of the document: a pattern that RapidJSON would follow for ever; nullptr: none */
};

struct model {
    Schemas schemas;
};

extern "C" struct models *models_new(const char *text, size_t bytes)
{
    try {
        models *made = new models();
        made->document.Parse<rapidjson::kParseIterativeFlag>(text, bytes);
        if (!made->document.HasParseError()) {
            made->loop = first_loop(made->document);
            return made;
        }
        delete made;
    } catch (const std::bad_alloc &) {
    }
    return nullptr;
}

extern "C" void models_free(struct models **models)
{
    delete *models;
    *models = nullptr;
}

extern "C" int model_compile(struct models *models, const char *pointer, model_alloc *alloc,
                             void *ctx, const struct model **ret_model, char *ret_why,
                             size_t why_room)
{
    const Arena arena{alloc, ctx};
    if (models->loop) {
        say("pattern " + clipped(models->loop) + " repeats what may be nothing", ret_why, why_room);
        return MODEL_WRONG;
    }
    ArenaScope scope(&arena);
    try {
        const Schemas::PointerType at(pointer);
        const rapidjson::Specification draft(rapidjson::kDraft04);
        Memory *own = new Memory;
        void *room = own->Malloc(sizeof(struct model));
        struct model *made = new (room)
            model{Schemas(models->document, nullptr, 0, nullptr, own, at, draft)};
        if (made->schemas.GetError().ObjectEmpty()) {
            *ret_model = made;
            return 0;
        }
        rapidjson::StringBuffer text;
        rapidjson::Writer<rapidjson::StringBuffer> writer(text);
        made->schemas.GetError().Accept(writer);
        say(clipped(text.GetString()), ret_why, why_room);
        return MODEL_WRONG;
    } catch (const Broken &) {
        say("a keyword's value is of the wrong kind", ret_why, why_room);
        return MODEL_WRONG;
    } catch (const std::bad_alloc &) {
        return MODEL_NO_MEMORY;
    }
}

extern "C" enum model_verdict model_check(const struct model *model, const char *body, size_t bytes,
                                          char *ret_why, size_t why_room)
{
    std::string why;
    enum model_verdict verdict = MODEL_VIOLATED;
    budget_of_thread = CHECK_BYTES_MAX;
    try {
        why = check(model->schemas, body, bytes);
        if (why.empty())
            verdict = MODEL_FITS;
        else
            say(why, ret_why, why_room);
    } catch (const Broken &) {
        say("[not to be looked at]", ret_why, why_room);
    } catch (const std::bad_alloc &) {
        say("[too large to be looked at]", ret_why, why_room);
    }
    Memory::FreeAll();
    return verdict;
}
