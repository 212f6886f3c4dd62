/* Configurations of lunatic.h; lunatic.c includes it: do not compile it by itself.
 *
 * What must stay true: a configuration that something was refused is as it was before, and the
 * error of the runtime is dropped. */

IMPORT("process", "create_empty_config") extern int64_t host_config_empty(void);
IMPORT("process", "drop_config") extern void host_config_drop(int64_t);
IMPORT("process", "config_set_max_memory") extern void host_config_memory(int64_t, uint64_t);
IMPORT("process", "config_set_max_fuel") extern void host_config_fuel(int64_t, uint64_t);
IMPORT("process", "config_set_can_spawn_processes")
extern void host_config_may_spawn(int64_t, int32_t);
IMPORT("process", "config_set_can_compile_modules")
extern void host_config_may_compile(int64_t, int32_t);
IMPORT("process", "config_set_can_create_configs")
extern void host_config_may_configure(int64_t, int32_t);
IMPORT("process", "config_allow_resolve")
extern void host_config_may_resolve(int64_t, int32_t);
IMPORT("wasi", "config_add_command_line_argument")
extern void host_config_argument(int64_t, const char *, size_t);
IMPORT("wasi", "config_add_environment_variable")
extern void host_config_variable(int64_t, const char *, size_t, const char *, size_t);
IMPORT("wasi", "config_preopen_dir")
extern void host_config_directory(int64_t, const char *, size_t);
IMPORT("process", "config_allow")
extern int32_t host_config_allow(int64_t, const char *, size_t, uint64_t *);
IMPORT("process", "config_deny")
extern int32_t host_config_deny(int64_t, const char *, size_t, uint64_t *);
IMPORT("process", "config_set_budget")
extern int32_t host_config_budget(int64_t, int32_t, uint32_t, uint64_t, uint32_t, uint64_t *);
IMPORT("process", "config_allow_network")
extern int32_t host_config_network(int64_t, int32_t, const char *, size_t, uint64_t *);

int64_t lunatic_config_empty(void) { return host_config_empty(); }

void lunatic_config_drop(int64_t config) { host_config_drop(config); }

void lunatic_config_memory(int64_t config, uint64_t bytes) { host_config_memory(config, bytes); }

void lunatic_config_fuel(int64_t config, uint64_t units) { host_config_fuel(config, units); }

void lunatic_config_may_spawn(int64_t config, bool may) { host_config_may_spawn(config, may); }

void lunatic_config_may_compile(int64_t config, bool may) { host_config_may_compile(config, may); }

void lunatic_config_may_configure(int64_t config, bool may) {
    host_config_may_configure(config, may);
}

void lunatic_config_may_resolve(int64_t config, bool may) { host_config_may_resolve(config, may); }

void lunatic_config_argument(int64_t config, const char *argument) {
    host_config_argument(config, argument, strlen(argument));
}

void lunatic_config_variable(int64_t config, const char *name, const char *value) {
    host_config_variable(config, name, strlen(name), value, strlen(value));
}

void lunatic_config_directory(int64_t config, const char *path) {
    host_config_directory(config, path, strlen(path));
}

bool lunatic_config_allow(int64_t config, const char *right) {
    uint64_t error = 0;
    int32_t result = host_config_allow(config, right, strlen(right), &error);
    if (result != LUNATIC_OK) host_error_drop(error);
    return result == LUNATIC_OK;
}

bool lunatic_config_deny(int64_t config, const char *right) {
    uint64_t error = 0;
    int32_t result = host_config_deny(config, right, strlen(right), &error);
    if (result != LUNATIC_OK) host_error_drop(error);
    return result == LUNATIC_OK;
}

bool lunatic_config_budget(int64_t config, bool subtree, uint32_t kind, uint64_t amount,
                           uint32_t at_limit) {
    uint64_t error = 0;
    if (host_config_budget(config, subtree, kind, amount, at_limit, &error) == LUNATIC_OK)
        return true;
    host_error_drop(error);
    return false;
}

bool lunatic_config_network(int64_t config, bool bind, const char *rule) {
    uint64_t error = 0;
    if (host_config_network(config, bind, rule, strlen(rule), &error) == LUNATIC_OK) return true;
    host_error_drop(error);
    return false;
}
