/* Processes of Lunatic for programs in C, C++ and Zig: spawn, messages, links, monitors, aliases,
 * exit reasons, names, timers, configurations, and calls in the wire format of guest/wire.md.
 *
 * What must stay true: plain C99 without macros that compute, so that other languages can read it;
 * nothing but the argument of a process is allocated unasked; what comes in is read with bounds,
 * and never crashes the reader. Timeouts are milliseconds, LUNATIC_FOREVER means none. Texts have
 * an end mark. abi/process.md says what each function of the runtime does. */
#ifndef LUNATIC_H
#define LUNATIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUNATIC_FOREVER ((int64_t)-1)
#define LUNATIC_OWN ((int64_t)-1)

typedef struct lunatic_pid {
    uint64_t node, id;
} lunatic_pid;

/* Of a monitor, an alias or a timer. */
typedef struct lunatic_ref {
    uint64_t node, id;
} lunatic_ref;

/* Results. A function that fails for a reason of the runtime stores no more than this. */
enum { LUNATIC_OK = 0, LUNATIC_FAILED = 1, LUNATIC_DOWN = 2, LUNATIC_TIMEOUT = 9027 };

/* Kinds of exit reasons. LUNATIC_BUG and LUNATIC_LIMIT are told, never given. */
enum {
    LUNATIC_NORMAL, LUNATIC_SHUTDOWN, LUNATIC_KILL, LUNATIC_KILLED, LUNATIC_NOPROC,
    LUNATIC_NOCONNECTION, LUNATIC_STATUS, LUNATIC_TRAP, LUNATIC_ERROR, LUNATIC_BUG,
    LUNATIC_LIMIT, LUNATIC_CUSTOM
};

/* Tags of the libraries; those of programs are from 0 on. */
enum {
    LUNATIC_TAG_CALL = -1, LUNATIC_TAG_CAST = -2, LUNATIC_TAG_REPLY = -3, LUNATIC_TAG_ARGUMENT = -4
};

/* ---- processes ---- */

/* An entry gets the bytes that its parent gave; they live as long as the process. */
typedef void (*lunatic_entry)(const uint8_t *argument, size_t length);

enum { LUNATIC_LINK = 1, LUNATIC_MONITOR = 2 };

typedef struct lunatic_child {
    lunatic_pid pid;
    lunatic_ref monitor; /* zeros without LUNATIC_MONITOR */
} lunatic_child;

/* LUNATIC_FAILED if the node takes no more processes, or the configuration does not fit the module.
 * `config` is LUNATIC_OWN or of lunatic_config_empty. The argument is copied. */
int32_t lunatic_spawn(lunatic_entry entry, const void *argument, size_t length, uint32_t flags,
                      int64_t config, lunatic_child *child);

/* Before a function without parameters and results: any language can spawn it by this name, and
 * then sends the argument. Its body is lunatic_run. */
#define LUNATIC_EXPORT(name) __attribute__((export_name(name)))
/* Waits for the argument, and runs the entry with it. */
void lunatic_run(lunatic_entry entry);

/* Another module, in whatever language, to spawn exported entries from. False if the bytes are none
 * that can be compiled, or the process may not compile. */
bool lunatic_compile(const void *wasm, size_t length, int64_t *module);
void lunatic_module_drop(int64_t module);
/* As lunatic_spawn, of an entry that `module` exports under this name; LUNATIC_OWN is the own. */
int32_t lunatic_spawn_export(int64_t module, const char *name, const void *argument, size_t length,
                             uint32_t flags, int64_t config, lunatic_child *child);

lunatic_pid lunatic_self(void);
/* Zeros for the first process of an environment. */
lunatic_pid lunatic_parent(void);
bool lunatic_is_alive(lunatic_pid pid);
void lunatic_sleep(int64_t milliseconds);
void lunatic_exit(lunatic_pid pid, int32_t kind, const void *data, size_t length);
void lunatic_exit_self(int32_t kind, const void *data, size_t length)
    __attribute__((noreturn));
void lunatic_link(lunatic_pid pid, int64_t tag);
void lunatic_unlink(lunatic_pid pid);
lunatic_ref lunatic_monitor(lunatic_pid pid);
/* Also takes away a down that lies in the mailbox. */
bool lunatic_demonitor(lunatic_ref monitor);
lunatic_ref lunatic_alias(bool once);
bool lunatic_unalias(lunatic_ref alias);
/* Exit signals become messages. */
void lunatic_trap_exit(bool on);

/* Gives up the call stack, waits until there is a message, which is not taken, and goes on in
 * `entry`, with a copy of these bytes; when that comes back, the process ends. The bytes live until
 * the process hibernates again. Nothing that the callers have is released but the stack. */
void lunatic_hibernate(lunatic_entry entry, const void *state, size_t length)
    __attribute__((noreturn));

/* ---- messages ---- */

/* False at the timeout: the mailbox of the receiver was full until then. */
bool lunatic_send(lunatic_pid pid, int64_t tag, const void *data, size_t length, int64_t timeout);
/* LUNATIC_FAILED if nobody has the name. */
int32_t lunatic_send_name(const char *name, int64_t tag, const void *data, size_t length,
                          int64_t timeout);
bool lunatic_send_alias(lunatic_ref alias, int64_t tag, const void *data, size_t length,
                        int64_t timeout);

enum { LUNATIC_TAKE_MESSAGE = 1, LUNATIC_TAKE_EXIT = 2, LUNATIC_TAKE_DOWN = 4 };
enum { LUNATIC_BY_TAG = 1, LUNATIC_BY_SENDER = 2, LUNATIC_BY_REF = 4 };

/* What a receive takes: laid out as abi/process.md says. */
typedef struct lunatic_pattern {
    uint32_t kinds, equal;
    int64_t tag;
    lunatic_pid sender;
    lunatic_ref reference;
} lunatic_pattern;

enum { LUNATIC_IS_MESSAGE = 0, LUNATIC_IS_EXIT = 1, LUNATIC_IS_DOWN = 2 };

/* What was received: laid out as abi/process.md says. The data is read with lunatic_read. */
typedef struct lunatic_message {
    uint32_t kind, reason;
    int64_t tag;
    lunatic_pid sender;
    lunatic_ref reference;
    uint64_t length;
    uint32_t resources, name_length;
} lunatic_message;

/* The oldest message that a pattern takes; the oldest of all if `count` is 0. False at the
 * timeout. */
bool lunatic_receive(const lunatic_pattern *patterns, size_t count, int64_t timeout,
                     lunatic_message *message);
/* The next bytes of what was received last; how many there were, at most `room`. */
size_t lunatic_read(void *place, size_t room);

/* Processes and aliases that may be used by who receives them, also where its rights let it reach
 * some processes only: a pid in a body is a number (docs/rights.md). False at the timeout. */
bool lunatic_give_process(lunatic_pid to, int64_t tag, lunatic_pid process, int64_t timeout);
bool lunatic_give_alias(lunatic_pid to, int64_t tag, lunatic_ref alias, int64_t timeout);
/* Out of the message that was received last, whose `resources` is 1; traps if it is of another
 * kind. */
lunatic_pid lunatic_take_process(void);
lunatic_ref lunatic_take_alias(void);

/* ---- names and timers ---- */

bool lunatic_register(const char *name, lunatic_pid pid);
bool lunatic_unregister(const char *name);
/* False, and nothing stored, if nobody has the name. */
bool lunatic_whereis(const char *name, lunatic_pid *pid);
lunatic_ref lunatic_send_after(lunatic_pid pid, int64_t tag, const void *data, size_t length,
                               int64_t milliseconds);
/* False if it has fired. */
bool lunatic_cancel(lunatic_ref timer);

/* ---- configurations ---- */

/* Grants nothing; -1 without the right to make configurations. */
int64_t lunatic_config_empty(void);
void lunatic_config_drop(int64_t config);
void lunatic_config_memory(int64_t config, uint64_t bytes);
void lunatic_config_fuel(int64_t config, uint64_t units);
void lunatic_config_may_spawn(int64_t config, bool may);
void lunatic_config_may_compile(int64_t config, bool may);
void lunatic_config_may_configure(int64_t config, bool may);
void lunatic_config_may_resolve(int64_t config, bool may);
/* What the child's main finds, and what getenv gives. */
void lunatic_config_argument(int64_t config, const char *argument);
void lunatic_config_variable(int64_t config, const char *name, const char *value);
/* A directory that the process itself has, or one below it. */
void lunatic_config_directory(int64_t config, const char *path);
/* Gives or takes a right of abi/rights.md, such as "send:tree" or "stdout"; false if it is none. */
bool lunatic_config_allow(int64_t config, const char *right);
bool lunatic_config_deny(int64_t config, const char *right);

/* Kinds of budgets; abi/budgets.md says what each is counted in. */
enum {
    LUNATIC_MEMORY, LUNATIC_CPU_TIME, LUNATIC_CPU_RATE, LUNATIC_CHILDREN, LUNATIC_LIFETIME,
    LUNATIC_MESSAGES_OUT, LUNATIC_MESSAGES_IN, LUNATIC_NETWORK_BYTES, LUNATIC_DESCRIPTORS
};

/* What happens at the limit. */
enum { LUNATIC_GIVE_ERROR, LUNATIC_WAIT, LUNATIC_END };

/* For each process that is spawned with the configuration, or for its subtree. False, and the
 * configuration is as it was, if that cannot happen at this limit. */
bool lunatic_config_budget(int64_t config, bool subtree, uint32_t kind, uint64_t amount,
                           uint32_t at_limit);
/* A rule of abi/config.md; false if it is none. */
bool lunatic_config_network(int64_t config, bool bind, const char *rule);

/* ---- bodies in the format of guest/wire.md ---- */

/* Writes into a place of the caller. `bad` is set, and nothing more written, when it is full. */
typedef struct lunatic_writer {
    uint8_t *place;
    size_t room, length;
    bool bad;
} lunatic_writer;

lunatic_writer lunatic_write_to(void *place, size_t room);
void lunatic_put_u8(lunatic_writer *writer, uint8_t value);
/* Any unsigned integer from 16 bits on, the number of a variant, the length of a list. */
void lunatic_put_unsigned(lunatic_writer *writer, uint64_t value);
void lunatic_put_signed(lunatic_writer *writer, int64_t value);
void lunatic_put_bytes(lunatic_writer *writer, const void *bytes, size_t length);
/* A text with an end mark, which is not written. */
void lunatic_put_text(lunatic_writer *writer, const char *text);
void lunatic_put_pid(lunatic_writer *writer, lunatic_pid pid);

/* Reads what came. `bad` is set, and zeros are given, from the first value on that is none. */
typedef struct lunatic_reader {
    const uint8_t *place;
    size_t length, at;
    bool bad;
} lunatic_reader;

lunatic_reader lunatic_read_from(const void *place, size_t length);
uint8_t lunatic_get_u8(lunatic_reader *reader);
bool lunatic_get_bool(lunatic_reader *reader);
/* `max` is the largest value of the type: UINT32_MAX for a u32. */
uint64_t lunatic_get_unsigned(lunatic_reader *reader, uint64_t max);
/* `max` is the largest value of the type: INT32_MAX for an i32. */
int64_t lunatic_get_signed(lunatic_reader *reader, int64_t max);
/* The bytes stay where they are; NULL if there are none so many. */
const uint8_t *lunatic_get_bytes(lunatic_reader *reader, size_t *length);
/* Stores a text with an end mark; `bad` is set if there is no room, or a zero within. */
void lunatic_get_text(lunatic_reader *reader, char *place, size_t room);
lunatic_pid lunatic_get_pid(lunatic_reader *reader);
/* Whether all was well and nothing is left over. */
bool lunatic_read_all(const lunatic_reader *reader);

/* ---- calls ---- */

/* How a call ended: LUNATIC_OK, LUNATIC_DOWN (`reason` is the kind) or LUNATIC_TIMEOUT. */
typedef struct lunatic_reply {
    int32_t result;
    uint32_t reason;
    size_t length; /* of the whole reply; the first `room` bytes are stored */
} lunatic_reply;

/* The timeout is for all of it: sending and waiting. */
lunatic_reply lunatic_call(lunatic_pid server, const void *request, size_t length, void *place,
                           size_t room, int64_t timeout);
void lunatic_cast(lunatic_pid server, const void *request, size_t length);
/* After a receive that took a call: to whom to answer; false if the message has no reference. What
 * lunatic_read gives next is the request. */
bool lunatic_caller(const lunatic_message *message, lunatic_ref *caller);
void lunatic_answer(lunatic_ref caller, const void *reply, size_t length);

/* ---- what programs do often ---- */

bool lunatic_same(lunatic_pid a, lunatic_pid b);
/* Ends the calling process with reason error and this text. */
void lunatic_fail(const char *text) __attribute__((noreturn));
/* Memory of zeros. Without any the process ends with reason error; give it back with free. */
void *lunatic_allocate(size_t size);
/* Takes the oldest message with this tag; plain ones have 0. False at the timeout. */
bool lunatic_receive_tag(int64_t tag, int64_t timeout, lunatic_message *message);
/* Takes the down of this monitor. False at the timeout. */
bool lunatic_wait_down(lunatic_ref monitor, int64_t timeout, lunatic_message *down);
/* Reads what was not read yet of what was received last. More than `room` does not decode. */
lunatic_reader lunatic_read_body(void *place, size_t room);
/* Says on standard error that a message was dropped since it is no `type`: of how many bytes, with
 * which tag, from whom. */
void lunatic_dropped(const char *program, const lunatic_message *message, const char *type);
/* Calls, and gives the reply to be read. Without one the process ends with reason error and a text
 * that has `name`, by which people know the server. */
lunatic_reader lunatic_ask(lunatic_pid server, const char *name, const lunatic_writer *request,
                           void *place, size_t room, int64_t timeout);

#ifdef __cplusplus
}
#endif
#endif
