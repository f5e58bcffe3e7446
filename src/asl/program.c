/* asl/program.c - one arena a program. */
#include "asl/program.h"

#include <stdlib.h>

/* A definition of 1 MiB compiles to a few times its size. */
#define PROGRAM_BYTES_MAX (64u << 20)

static bool mentions(struct px_str text, const char *what)
{
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

int asl_program_new(struct px_str text, const struct asl_program_options *options,
                    struct px_arena *arena, struct asl_program **ret_program,
                    struct asl_problems *ret_problems)
{
    struct asl_program *program = calloc(1, sizeof(*program));
    if (!program) return px_fault(PX_F_OOM, "a state machine");
    program->refs = 1;
    px_arena_init(&program->arena, PROGRAM_BYTES_MAX);
    struct asl_problems problems = {0};
    int r = asl_machine_parse(text, options->type, options->jsonata, &program->arena,
                              &program->machine, &problems);
    if (r == ASL_INVALID || r == 0) { /* the problems outlive the program */
        ret_problems->count = ret_problems->cap = problems.count;
        ret_problems->list = px_arena_array(arena, struct asl_problem, problems.count);
        if (problems.count && !ret_problems->list) r = px_arena_fault(arena);
        for (size_t i = 0; r >= 0 && i < problems.count; i++) {
            ret_problems->list[i] = problems.list[i];
            ret_problems->list[i].place = px_arena_dup(arena, problems.list[i].place);
            ret_problems->list[i].message = px_arena_dup(arena, problems.list[i].message);
        }
    }
    if (r == 0) {
        program->name = px_arena_dup(&program->arena, options->name);
        program->arn = px_arena_dup(&program->arena, options->arn);
        program->role_arn = px_arena_dup(&program->arena, options->role_arn);
        program->source = program->machine->source;
        program->uses_context = mentions(program->source, "$$") ||
                                mentions(program->source, "context");
        if (px_arena_full(&program->arena)) r = px_arena_fault(&program->arena);
    }
    if (r != 0) {
        asl_program_unref(&program);
        return r;
    }
    *ret_program = program;
    return 0;
}

struct asl_program *asl_program_ref(struct asl_program *program)
{
    program->refs++;
    return program;
}

void asl_program_unref(struct asl_program **program)
{
    if (!*program) return;
    if (--(*program)->refs == 0) {
        px_arena_deinit(&(*program)->arena);
        free(*program);
    }
    *program = NULL;
}
