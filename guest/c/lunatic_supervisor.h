/* A supervisor for programs in C: starts children, starts them again when they end, and ends them
 * in reverse order.
 *
 * What must stay true: restart types, strategies, intensity and shutdown mean what they mean in
 * OTP. A child counts as started as soon as it is spawned. */
#ifndef LUNATIC_SUPERVISOR_H
#define LUNATIC_SUPERVISOR_H

#include "lunatic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Started again: whenever it ends; when it ends other than normal or shutdown; never. */
enum { LUNATIC_PERMANENT, LUNATIC_TRANSIENT, LUNATIC_TEMPORARY };

/* With a child that is started again: only itself; all children; itself and those after it. */
enum { LUNATIC_ONE_FOR_ONE, LUNATIC_ONE_FOR_ALL, LUNATIC_REST_FOR_ONE };

/* How long a child may take to end after the exit signal shutdown, in milliseconds, before it is
 * killed. LUNATIC_FOREVER is for children that are supervisors. */
#define LUNATIC_BRUTAL_KILL ((int64_t)0)

typedef struct lunatic_child_spec {
    lunatic_entry entry;
    const void *argument; /* must live as long as the supervisor */
    size_t length;
    const char *name; /* registered for the child; NULL for none */
    int64_t config;   /* as for lunatic_spawn */
    uint32_t restart;
    int64_t shutdown;
    /* Where `entry` is NULL: the exported entry of this name, of LUNATIC_OWN or of a module that
     * lunatic_compile gave to the supervisor's process. */
    const char *export_name;
    int64_t module;
} lunatic_child_spec;

/* More than `intensity` restarts in `period` milliseconds end the supervisor. */
typedef struct lunatic_supervision {
    uint32_t strategy, intensity;
    int64_t period;
} lunatic_supervision;

/* Makes the calling process the supervisor of `count` children, which are started in their order.
 *
 * It ends, after its children, when the parent that it is linked with ends or sends it an exit
 * signal (with that reason), when the intensity is exceeded (shutdown), and when a child cannot be
 * started at first (error with a text): the node takes no more processes, or the name is taken.
 * Messages are dropped. */
void lunatic_supervise(const lunatic_supervision *how, const lunatic_child_spec *children,
                       size_t count) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
