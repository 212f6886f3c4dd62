/* What modules and configurations promise, each as an assertion: a module is compiled, here the
 * program's own once more, entries that it exports are spawned by name and supervised, and children
 * get the rights, arguments, variables and directories that they are given. */
#include "../lunatic_supervisor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UP = 1 };

/* ---- entries that are spawned by name ---- */

/* Ends with the text that it was given. */
static void ends(const uint8_t *argument, size_t length) {
    lunatic_exit_self(LUNATIC_ERROR, argument, length);
}

LUNATIC_EXPORT("modules_ends") void modules_ends(void) { lunatic_run(ends); }

/* Tells its parent's tester that it is up, and waits for any message. */
static void works(const uint8_t *argument, size_t length) {
    lunatic_pid tester, self = lunatic_self();
    lunatic_message message;
    assert(length == sizeof tester);
    memcpy(&tester, argument, sizeof tester);
    lunatic_send(tester, UP, &self, sizeof self, LUNATIC_FOREVER);
    lunatic_receive_tag(0, LUNATIC_FOREVER, &message);
    lunatic_fail("told to end");
}

LUNATIC_EXPORT("modules_works") void modules_works(void) { lunatic_run(works); }

/* ---- modules ---- */

static const char *file_name;

static int64_t compile_own(void) {
    static char bytes[1 << 20];
    int64_t module = -2;
    FILE *file = fopen(file_name, "rb");
    assert(file != NULL);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    assert(length > 0 && length < sizeof bytes && fclose(file) == 0);
    assert(!lunatic_compile(bytes, length - 1, &module) && module == -2);
    assert(lunatic_compile(bytes, length, &module) && module >= 0);
    return module;
}

static void expect_end(const lunatic_child *child, uint32_t reason, const char *text) {
    char heard[64];
    lunatic_message down;
    assert(lunatic_wait_down(child->monitor, LUNATIC_FOREVER, &down) && down.reason == reason);
    size_t length = lunatic_read(heard, sizeof heard);
    assert(length == strlen(text) && memcmp(heard, text, length) == 0);
}

static void by_name(int64_t module) {
    lunatic_child child;
    assert(lunatic_spawn_export(module, "modules_ends", "no", 2, LUNATIC_MONITOR, LUNATIC_OWN,
                                &child) == LUNATIC_OK);
    expect_end(&child, LUNATIC_ERROR, "no");
}

/* ---- a supervisor of entries in another module ---- */

static void supervise(const uint8_t *argument, size_t length) {
    static const lunatic_supervision how = {LUNATIC_ONE_FOR_ONE, 1, 60000};
    lunatic_child_spec spec = {.argument = argument, .length = length, .config = LUNATIC_OWN,
                               .restart = LUNATIC_PERMANENT, .shutdown = LUNATIC_FOREVER,
                               .export_name = "modules_works"};
    file_name = getenv("FILE_NAME");
    spec.module = compile_own();
    lunatic_supervise(&how, &spec, 1);
}

static lunatic_pid wait_up(void) {
    lunatic_pid pid;
    lunatic_message message;
    assert(lunatic_receive_tag(UP, LUNATIC_FOREVER, &message));
    assert(lunatic_read(&pid, sizeof pid) == sizeof pid && lunatic_same(pid, message.sender));
    return pid;
}

static void supervised(int64_t config) {
    lunatic_pid self = lunatic_self();
    lunatic_child child;
    assert(lunatic_spawn(supervise, &self, sizeof self, LUNATIC_MONITOR, config, &child) ==
           LUNATIC_OK);
    lunatic_pid first = wait_up();
    lunatic_send(first, 0, NULL, 0, LUNATIC_FOREVER);
    lunatic_pid second = wait_up();
    assert(!lunatic_same(first, second));
    lunatic_exit(child.pid, LUNATIC_SHUTDOWN, NULL, 0);
    expect_end(&child, LUNATIC_SHUTDOWN, "");
    assert(!lunatic_is_alive(second));
}

/* ---- configurations ---- */

static void has_little(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    int64_t module;
    assert(fopen(file_name, "rb") == NULL && getenv("FILE_NAME") == NULL);
    assert(!lunatic_compile("", 0, &module) && lunatic_config_empty() == -1);
}

static int64_t grown_config(void) {
    int64_t config = lunatic_config_empty();
    lunatic_child child;
    assert(config >= 0);
    assert(lunatic_spawn(has_little, NULL, 0, LUNATIC_MONITOR, config, &child) == LUNATIC_OK);
    expect_end(&child, LUNATIC_NORMAL, "");
    lunatic_config_may_spawn(config, true);
    lunatic_config_may_compile(config, true);
    lunatic_config_may_configure(config, true);
    lunatic_config_may_resolve(config, true);
    /* What the supervisor starts tells this process, which is not its parent. */
    assert(lunatic_config_allow(config, "send:tree"));
    assert(!lunatic_config_allow(config, "no right") && lunatic_config_deny(config, "stdout"));
    lunatic_config_argument(config, "one");
    lunatic_config_variable(config, "FILE_NAME", file_name);
    lunatic_config_directory(config, ".");
    return config;
}

int main(int count, char **arguments) {
    assert(count > 0);
    file_name = strrchr(arguments[0], '/') == NULL ? arguments[0] : strrchr(arguments[0], '/') + 1;
    by_name(LUNATIC_OWN);
    int64_t module = compile_own(), config = grown_config();
    by_name(module);
    lunatic_module_drop(module);
    supervised(config);
    lunatic_config_drop(config);
    puts("ok");
    return 0;
}
