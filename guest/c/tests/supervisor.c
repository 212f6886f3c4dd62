/* What the supervisor promises, each as an assertion: the order of starts and ends, who is started
 * again under each strategy and restart type, the intensity, shutdown, and a start that fails.
 *
 * What must stay true: every child tells the first process that it runs, so that each step waits
 * for what it needs and nothing depends on time. */
#include "../lunatic_supervisor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { UP = 1, DOWN = 2 };
enum { STUBBORN, TELLING };

/* What a child is told: its number, how it behaves, and whom it tells that it is up. */
typedef struct worker_argument {
    int64_t number;
    int64_t manner;
    lunatic_pid tester;
} worker_argument;

/* Then waits: a message with a kind of reason makes it end so. */
static void worker(const uint8_t *argument, size_t length) {
    worker_argument mine;
    assert(length == sizeof mine);
    memcpy(&mine, argument, sizeof mine);
    lunatic_trap_exit(true);
    struct {
        int64_t number;
        lunatic_pid pid;
    } up = {mine.number, lunatic_self()};
    lunatic_send(mine.tester, UP, &up, sizeof up, LUNATIC_FOREVER);
    for (;;) {
        lunatic_message message;
        int32_t kind;
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        if (message.kind == LUNATIC_IS_MESSAGE) {
            assert(lunatic_read(&kind, sizeof kind) == sizeof kind);
            lunatic_exit_self(kind, NULL, 0);
        }
        if (mine.manner == STUBBORN) continue;
        lunatic_send(mine.tester, DOWN, &mine.number, sizeof mine.number, LUNATIC_FOREVER);
        lunatic_exit_self(LUNATIC_SHUTDOWN, NULL, 0);
    }
}

/* ---- a supervisor of three workers ---- */

typedef struct plan {
    lunatic_supervision how;
    uint32_t restart[3];
    int64_t manner[3], shutdown[3];
    bool named; /* the second has the name `worker` */
    lunatic_pid tester;
} plan;

static void supervise(const uint8_t *argument, size_t length) {
    plan mine;
    worker_argument arguments[3];
    lunatic_child_spec specs[3];
    assert(length == sizeof mine);
    memcpy(&mine, argument, sizeof mine);
    for (int i = 0; i < 3; i++) {
        arguments[i] = (worker_argument){i, mine.manner[i], mine.tester};
        specs[i] = (lunatic_child_spec){.entry = worker, .argument = &arguments[i],
                                        .length = sizeof arguments[i], .config = LUNATIC_OWN,
                                        .restart = mine.restart[i], .shutdown = mine.shutdown[i]};
    }
    if (mine.named) specs[1].name = "worker";
    lunatic_supervise(&mine.how, specs, 3);
}

static lunatic_pid workers[3];

/* Waits until the workers of these numbers are up, and no others, and knows their pids; pids rise
 * in the order in which processes are spawned. */
static void expect_up(const char *numbers) {
    for (size_t i = 0; i < strlen(numbers); i++) {
        struct {
            int64_t number;
            lunatic_pid pid;
        } up;
        lunatic_message message;
        lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_MESSAGE, .equal = LUNATIC_BY_TAG,
                                  .tag = UP};
        lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
        assert(lunatic_read(&up, sizeof up) == sizeof up && up.number < 3);
        assert(strchr(numbers, '0' + (int)up.number) != NULL);
        assert(workers[up.number].id != up.pid.id);
        workers[up.number] = up.pid;
    }
    for (size_t i = 1; i < strlen(numbers); i++)
        assert(workers[numbers[i - 1] - '0'].id < workers[numbers[i] - '0'].id);
}

static void expect_down(const char *numbers) {
    for (; *numbers != 0; numbers++) {
        int64_t number;
        lunatic_message message;
        lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_MESSAGE, .equal = LUNATIC_BY_TAG,
                                  .tag = DOWN};
        lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
        assert(lunatic_read(&number, sizeof number) == sizeof number);
        assert(number == *numbers - '0');
    }
}

static plan ordinary(uint32_t strategy) {
    plan made = {.how = {strategy, 5, 60000}, .manner = {TELLING, TELLING, TELLING}};
    for (int i = 0; i < 3; i++) made.shutdown[i] = LUNATIC_FOREVER;
    made.tester = lunatic_self();
    return made;
}

static lunatic_child start(const plan *its) {
    lunatic_child child;
    assert(lunatic_spawn(supervise, its, sizeof *its, LUNATIC_MONITOR, LUNATIC_OWN, &child) ==
           LUNATIC_OK);
    return child;
}

static void end_worker(int number, int32_t kind) {
    lunatic_ref monitor = lunatic_monitor(workers[number]);
    lunatic_message message;
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_DOWN, .equal = LUNATIC_BY_REF};
    wanted.reference = monitor;
    lunatic_send(workers[number], 0, &kind, sizeof kind, LUNATIC_FOREVER);
    lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
}

static uint32_t end_of(const lunatic_child *child) {
    lunatic_message message;
    lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_DOWN, .equal = LUNATIC_BY_REF};
    wanted.reference = child->monitor;
    lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
    return message.reason;
}

static void stop(const lunatic_child *child) {
    lunatic_exit(child->pid, LUNATIC_SHUTDOWN, NULL, 0);
    assert(end_of(child) == LUNATIC_SHUTDOWN);
    for (int i = 0; i < 3; i++) assert(!lunatic_is_alive(workers[i]));
}

/* ---- what is promised ---- */

static void strategies(void) {
    plan its = ordinary(LUNATIC_ONE_FOR_ONE);
    lunatic_child child = start(&its);
    expect_up("012");
    end_worker(1, LUNATIC_NORMAL);
    expect_up("1");
    stop(&child);
    expect_down("210");
    its = ordinary(LUNATIC_ONE_FOR_ALL);
    child = start(&its);
    expect_up("012");
    end_worker(1, LUNATIC_ERROR);
    expect_down("20");
    expect_up("012");
    stop(&child);
    expect_down("210");
    its = ordinary(LUNATIC_REST_FOR_ONE);
    child = start(&its);
    expect_up("012");
    end_worker(1, LUNATIC_ERROR);
    expect_down("2");
    expect_up("12");
    stop(&child);
    expect_down("210");
}

/* Who is not started again leaves no trace: the restart of the permanent child comes next. */
static void restart_types(void) {
    plan its = ordinary(LUNATIC_ONE_FOR_ONE);
    its.restart[0] = LUNATIC_TRANSIENT;
    its.restart[1] = LUNATIC_TEMPORARY;
    lunatic_child child = start(&its);
    expect_up("012");
    end_worker(0, LUNATIC_ERROR);
    expect_up("0");
    end_worker(0, LUNATIC_SHUTDOWN);
    end_worker(1, LUNATIC_ERROR);
    end_worker(2, LUNATIC_NORMAL);
    expect_up("2");
    stop(&child);
    expect_down("2");
    /* A transient child that ended well comes back with all, a temporary one does not. */
    its.how.strategy = LUNATIC_ONE_FOR_ALL;
    child = start(&its);
    expect_up("012");
    end_worker(0, LUNATIC_NORMAL);
    end_worker(2, LUNATIC_ERROR);
    expect_down("1");
    expect_up("02");
    stop(&child);
    expect_down("20");
}

static void intensity(void) {
    plan its = ordinary(LUNATIC_ONE_FOR_ONE);
    its.how.intensity = 2;
    lunatic_child child = start(&its);
    expect_up("012");
    for (int i = 0; i < 2; i++) {
        end_worker(2, LUNATIC_ERROR);
        expect_up("2");
    }
    end_worker(2, LUNATIC_ERROR);
    assert(end_of(&child) == LUNATIC_SHUTDOWN);
    expect_down("10");
    its.how.intensity = 0;
    child = start(&its);
    expect_up("012");
    end_worker(2, LUNATIC_ERROR);
    assert(end_of(&child) == LUNATIC_SHUTDOWN);
    expect_down("10");
}

static void shutdown(void) {
    plan its = ordinary(LUNATIC_ONE_FOR_ONE);
    its.manner[0] = STUBBORN;
    its.shutdown[0] = 1;
    its.shutdown[1] = LUNATIC_BRUTAL_KILL;
    lunatic_child child = start(&its);
    expect_up("012");
    stop(&child);
    expect_down("2");
    /* Killed, a supervisor takes its children with it. */
    its = ordinary(LUNATIC_ONE_FOR_ONE);
    child = start(&its);
    expect_up("012");
    lunatic_exit(child.pid, LUNATIC_KILL, NULL, 0);
    assert(end_of(&child) == LUNATIC_KILLED);
    for (int i = 0; i < 3; i++) {
        lunatic_message message;
        lunatic_pattern wanted = {.kinds = LUNATIC_TAKE_MESSAGE, .equal = LUNATIC_BY_TAG,
                                  .tag = DOWN};
        lunatic_receive(&wanted, 1, LUNATIC_FOREVER, &message);
    }
}

static void names(void) {
    lunatic_pid found;
    plan its = ordinary(LUNATIC_ONE_FOR_ONE);
    its.named = true;
    lunatic_child child = start(&its);
    expect_up("012");
    end_worker(1, LUNATIC_ERROR);
    expect_up("1");
    end_worker(2, LUNATIC_ERROR);
    expect_up("2");
    assert(lunatic_whereis("worker", &found) && found.id == workers[1].id);
    stop(&child);
    expect_down("210");
    /* A name that is taken: the supervisor gives up. */
    assert(lunatic_register("worker", lunatic_self()));
    child = start(&its);
    assert(end_of(&child) == LUNATIC_ERROR);
    assert(lunatic_unregister("worker"));
}

int main(void) {
    strategies();
    restart_types();
    intensity();
    shutdown();
    names();
    puts("ok");
    return 0;
}
