/* The supervisor behind lunatic_supervisor.h; lunatic.c includes it: do not compile it by itself.
 *
 * What must stay true: a child is linked, so that it ends with its supervisor, and watched, so that
 * its end is heard even if it unlinks. Each child that was spawned gives exactly one down, and that
 * is taken either by the loop or by whoever ends the child. */
#include "lunatic_supervisor.h"

#include <stdlib.h>
#include <string.h>

typedef struct child {
    lunatic_child process;
    bool runs;
    bool gone; /* temporary, and has ended: never started again */
} child;

typedef struct supervisor {
    const lunatic_supervision *how;
    const lunatic_child_spec *specs;
    child *children;
    size_t count;
    int64_t *restarts; /* when, the oldest first; at most `intensity` + 1 */
    size_t restarted;
} supervisor;

/* ---- one child ---- */

static void end_child(supervisor *its, size_t index) {
    child *one = &its->children[index];
    int64_t shutdown = its->specs[index].shutdown;
    lunatic_ref monitor = one->process.monitor;
    lunatic_message down;
    if (one->runs) {
        if (shutdown != LUNATIC_BRUTAL_KILL)
            lunatic_exit(one->process.pid, LUNATIC_SHUTDOWN, NULL, 0);
        if (shutdown == LUNATIC_BRUTAL_KILL || !lunatic_wait_down(monitor, shutdown, &down)) {
            lunatic_exit(one->process.pid, LUNATIC_KILL, NULL, 0);
            lunatic_wait_down(monitor, LUNATIC_FOREVER, &down);
        }
    }
    one->runs = false;
    one->gone = one->gone || its->specs[index].restart == LUNATIC_TEMPORARY;
}

static bool spawn_child(const lunatic_child_spec *spec, lunatic_child *process) {
    uint32_t flags = LUNATIC_LINK | LUNATIC_MONITOR;
    if (spec->entry == NULL)
        return lunatic_spawn_export(spec->module, spec->export_name, spec->argument, spec->length,
                                    flags, spec->config, process) == LUNATIC_OK;
    return lunatic_spawn(spec->entry, spec->argument, spec->length, flags, spec->config,
                         process) == LUNATIC_OK;
}

static bool start_child(supervisor *its, size_t index) {
    const lunatic_child_spec *spec = &its->specs[index];
    child *one = &its->children[index];
    if (!spawn_child(spec, &one->process)) return false;
    one->runs = true;
    if (spec->name == NULL || lunatic_register(spec->name, one->process.pid)) return true;
    /* A child that has ended already has started: its down will come. */
    if (!lunatic_is_alive(one->process.pid)) return true;
    lunatic_exit(one->process.pid, LUNATIC_KILL, NULL, 0);
    lunatic_message down;
    lunatic_wait_down(one->process.monitor, LUNATIC_FOREVER, &down);
    one->runs = false;
    return false;
}

/* ---- several children, from `first` to before `end` ---- */

static void end_children(supervisor *its, size_t first, size_t end) {
    while (end > first) end_child(its, --end);
}

static bool start_children(supervisor *its, size_t first, size_t end) {
    for (; first < end; first++)
        if (!its->children[first].gone && !start_child(its, first)) return false;
    return true;
}

static void give_up(supervisor *its, int32_t kind, const void *data, size_t length) {
    end_children(its, 0, its->count);
    lunatic_exit_self(kind, data, length);
}

/* ---- restarts ---- */

/* Whether one more restart stays within the intensity. */
static bool may_restart(supervisor *its) {
    int64_t time = now();
    size_t old = 0;
    while (old < its->restarted && time - its->restarts[old] > its->how->period) old++;
    its->restarted -= old;
    memmove(its->restarts, its->restarts + old, its->restarted * sizeof *its->restarts);
    its->restarts[its->restarted++] = time;
    return its->restarted <= its->how->intensity;
}

/* A restart that fails is tried again, and counts each time. */
static void restart(supervisor *its, size_t index) {
    size_t first = its->how->strategy == LUNATIC_ONE_FOR_ALL ? 0 : index;
    size_t end = its->how->strategy == LUNATIC_ONE_FOR_ONE ? index + 1 : its->count;
    do {
        if (!may_restart(its)) give_up(its, LUNATIC_SHUTDOWN, NULL, 0);
        end_children(its, first, end);
    } while (!start_children(its, first, end));
}

static void child_ended(supervisor *its, const lunatic_message *down) {
    size_t index = 0;
    while (index < its->count && (!its->children[index].runs ||
                                  its->children[index].process.monitor.id != down->reference.id))
        index++;
    if (index == its->count) return;
    bool well = down->reason == LUNATIC_NORMAL || down->reason == LUNATIC_SHUTDOWN;
    uint32_t type = its->specs[index].restart;
    its->children[index].runs = false;
    its->children[index].gone = type == LUNATIC_TEMPORARY;
    if (type == LUNATIC_PERMANENT || (type == LUNATIC_TRANSIENT && !well)) restart(its, index);
}

/* Ends with the reason that the parent ended with, or asked for. */
static void parent_ended(supervisor *its, const lunatic_message *message) {
    size_t length = (size_t)message->length;
    uint8_t *data = (uint8_t *)malloc(length + 1);
    if (data == NULL) length = 0;
    if (length > 0) length = lunatic_read(data, length);
    /* What only the runtime tells cannot be given on. */
    bool told = message->reason == LUNATIC_BUG || message->reason == LUNATIC_LIMIT;
    if (told) give_up(its, LUNATIC_SHUTDOWN, NULL, 0);
    give_up(its, (int32_t)message->reason, data, length);
}

void lunatic_supervise(const lunatic_supervision *how, const lunatic_child_spec *children,
                       size_t count) {
    supervisor its = {how, children, NULL, count, NULL, 0};
    lunatic_pid parent = lunatic_parent();
    its.children = (child *)calloc(count + 1, sizeof *its.children);
    its.restarts = (int64_t *)calloc((size_t)how->intensity + 1, sizeof *its.restarts);
    if (its.children == NULL || its.restarts == NULL)
        lunatic_fail("no memory for the supervisor");
    lunatic_trap_exit(true);
    if (!start_children(&its, 0, count)) {
        static const char text[] = "a child of the supervisor could not be started";
        give_up(&its, LUNATIC_ERROR, text, sizeof text - 1);
    }
    for (;;) {
        lunatic_message message;
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (message.kind == LUNATIC_IS_DOWN) child_ended(&its, &message);
        bool from_parent = lunatic_same(message.sender, parent);
        if (message.kind == LUNATIC_IS_EXIT && from_parent) parent_ended(&its, &message);
    }
}
