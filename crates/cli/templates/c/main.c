/* {{name}}: one process asks another, and a test does the same. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lunatic.h"

/* The body of the other process: it answers one call with a greeting. */
static void greeter(const uint8_t *argument, size_t length) {
    (void)argument, (void)length;
    lunatic_message message;
    lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
    lunatic_ref caller;
    if (!lunatic_caller(&message, &caller)) return;
    char whom[64], greeting[128];
    size_t read = lunatic_read(whom, sizeof whom);
    int written = snprintf(greeting, sizeof greeting, "Hello %.*s, from another process!",
                           (int)read, whom);
    lunatic_answer(caller, greeting, (size_t)written);
}

/* Lets another process make a greeting, and waits for it. */
static void ask(const char *whom, char *greeting, size_t room) {
    lunatic_child child;
    assert(lunatic_spawn(greeter, NULL, 0, 0, LUNATIC_OWN, &child) == LUNATIC_OK);
    lunatic_reply reply =
        lunatic_call(child.pid, whom, strlen(whom), greeting, room - 1, LUNATIC_FOREVER);
    assert(reply.result == LUNATIC_OK && reply.length < room);
    greeting[reply.length] = 0;
}

int main(void) {
    char greeting[128];
    ask("world", greeting, sizeof greeting);
    puts(greeting);
    return 0;
}

/* A function that is exported under such a name is a test: `lunatic test` runs it in a process. */
__attribute__((export_name("lunatic_test_a_process_greets"))) void a_process_greets(void) {
    char greeting[128];
    ask("test", greeting, sizeof greeting);
    assert(strcmp(greeting, "Hello test, from another process!") == 0);
}
