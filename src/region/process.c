/* region/process.c - what the region asks of its process before it opens anything. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "region/region_internal.h"

/* A connection is a descriptor, and the usual soft limit of 1024 is below the gateway's own. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Keys of tenants pass through memory: no core file, and no debugger of the same user. Functions
 * inherit the limit; the second is for each process to say (lambda/runtime.c). */
static void keep_memory_private(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they trace themselves */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

void region_process_prepare(void)
{
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of that write */
    raise_descriptors();
    keep_memory_private();
}
