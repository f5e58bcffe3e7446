/* tools/jsbake.c - JavaScript to QuickJS bytecode, as C, while building.
 *
 *   jsbake OUT.c NAME=FILE...     uint8_t NAME[], size_t NAME_bytes, for each
 *
 * Bytecode is the same on all little-endian machines of 64 bits. Without source, so that an engine that reads it needs no
 * compiler; names of functions stay, lines do not. */
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *what)
{
    fprintf(stderr, "jsbake: %s\n", what);
    return 1;
}

/* With a NUL behind it, as JS_Eval() wants. */
static char *file_text(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (!file) return NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long bytes = ftell(file);
        text = bytes > 0 ? malloc((size_t)bytes + 1) : NULL;
        rewind(file);
        if (text && fread(text, 1, (size_t)bytes, file) == (size_t)bytes) {
            text[bytes] = '\0';
            *ret_bytes = (size_t)bytes;
        } else {
            free(text);
            text = NULL;
        }
    }
    (void)fclose(file);
    return text;
}

static int say_exception(JSContext *context)
{
    JSValue exception = JS_GetException(context);
    const char *text = JS_ToCString(context, exception);
    int status = failed(text ? text : "an exception without words");
    JS_FreeCString(context, text);
    JS_FreeValue(context, exception);
    return status;
}

static int bake(JSContext *context, FILE *out, const char *name, const char *path)
{
    size_t bytes = 0;
    char *text = file_text(path, &bytes);
    if (!text) return failed(path);
    JSValue code = JS_Eval(context, text, bytes, path,
                           JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    free(text);
    if (JS_IsException(code)) return say_exception(context);
    uint8_t *written = JS_WriteObject(context, &bytes, code,
                                      JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE |
                                          JS_WRITE_OBJ_STRIP_DEBUG);
    JS_FreeValue(context, code);
    if (!written) return say_exception(context);
    fprintf(out,
            "extern const size_t %s_bytes;\nextern const uint8_t %s[];\n"
            "const size_t %s_bytes = %zu;\nconst uint8_t %s[] = {",
            name, name, name, bytes, name);
    for (size_t i = 0; i < bytes; i++) fprintf(out, "%s%u,", i % 24 ? "" : "\n", written[i]);
    fprintf(out, "\n};\n");
    js_free(context, written);
    return 0;
}

static int bake_all(JSContext *context, FILE *out, int count, char **given)
{
    fprintf(out, "#include <stddef.h>\n#include <stdint.h>\n");
    for (int i = 0; i < count; i++) {
        char *path = strchr(given[i], '=');
        if (!path) return failed("usage: jsbake OUT.c NAME=FILE...");
        *path++ = '\0';
        if (bake(context, out, given[i], path) != 0) return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) return failed("usage: jsbake OUT.c NAME=FILE...");
    FILE *out = fopen(argv[1], "w");
    if (!out) return failed(argv[1]);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *context = runtime ? JS_NewContext(runtime) : NULL;
    int status = context ? bake_all(context, out, argc - 2, argv + 2) : failed("out of memory");
    if (context) JS_FreeContext(context);
    if (runtime) JS_FreeRuntime(runtime);
    if (fclose(out) != 0) status = failed("the output cannot be written");
    if (status != 0) (void)remove(argv[1]);
    return status;
}
