/* cli/exit_codes.h - what the numbers of enum cli_exit mean, for --help and the manual. */
#pragma once

static const char *const exit_codes[] = {
    "done",
    "it could not be done: a file, the machine, no answer in time",
    "wrong arguments; nothing was tried",
    "no region is running on the data folder or port; workflow, pipeline: the execution or run failed",
    "refused: a wrong key, bad SQL, refused records (HTTP 4xx), a plan, a definition or settings with errors, pending steps, drift",
    "the region failed, or the function that was invoked did (HTTP 5xx)",
    "a person has to decide: prism workflow or prism pipeline approve or reject, or what is said",
};
