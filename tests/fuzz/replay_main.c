/* replay_main.c - runs a fuzz target over stored inputs where there is no libFuzzer: in every preset but fuzz.
 *
 * Arguments are files and folders; each file found in them, in order of name, is handed once to
 * LLVMFuzzerTestOneInput in a heap block of exactly its size, so that a sanitizer sees a read past the end.
 * A folder that does not exist is empty. No input at all is a failure: a target without inputs tests nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    fprintf(stderr, "replay: %s (%zu bytes)\n", path, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int replay_path(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **entries = NULL;
    int found = 0;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char child[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
            found += replay_path(child);
        }
        free(entries[i]);
    }
    free(entries);
    return found;
}

static int replay_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return 0;
    }
    return S_ISDIR(status.st_mode) ? replay_folder(path)
                                   : replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    int found = 0;
    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 1; i < argc; i++) {
        found += replay_path(argv[i]);
    }
    fprintf(stderr, "replay: %d inputs\n", found);
    return found > 0 ? 0 : 1;
}
